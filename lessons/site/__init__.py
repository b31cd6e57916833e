"""The course as a site: pages that can be read without scripts, and run where there is an interpreter in the page."""
