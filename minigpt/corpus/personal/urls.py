"""Addresses of pages that name a person: who logs in there, and whose page it is."""

import re
from collections.abc import Iterator

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span
from minigpt.corpus.personal.words import words

URL = re.compile(
    r"(?<![\w/])(?:(?:[a-z][a-z0-9+]{1,12}://|www\.)[^\s<>\"'`{}|\\^]{3,500}|(?:github|gitlab|twitter|x|facebook|"
    r"instagram|linkedin|tiktok|reddit|t|youtube|medium)\.(?:com|me)/[^\s<>\"'`{}|\\^]{2,200})",
    re.IGNORECASE,
)
TRAILING = ".,;:!?)]*_"
CREDENTIALS = re.compile(r"[a-z][a-z0-9+]{1,12}://(?!git@)[^\s/@:]{1,64}(?::[^\s/@]{0,128})?@[^\s/@]", re.IGNORECASE)
NAME = r"(?P<name>@?[\w.%+~-]{2,64})"
# Where the first part of the path is a person's, and which first parts are the site's own.
PROFILES = re.compile(
    rf"(?:[a-z]+://)?(?:www\.|mobile\.|m\.)?(?:(?:github|gitlab|bitbucket|twitter|x|facebook|instagram|tiktok|"
    rf"pinterest|snapchat|twitch|patreon|keybase|soundcloud|codepen|dribbble|behance|flickr|vimeo|venmo|paypal|"
    rf"kaggle|t)\.(?:com|org|io|net|me|tv)/(?:add/|u/)?|(?:[a-z]{{2,3}}\.)?linkedin\.com/(?:in|pub)/|"
    rf"(?:old\.)?reddit\.com/(?:u|user)/|youtube\.com/(?=@)|youtube\.com/(?:user|c)/|medium\.com/(?=@)){NAME}",
    re.IGNORECASE,
)
# A project's page: its owner is an organization more often than a person.
PROJECT = re.compile(r"(?:[a-z]+://)?(?:www\.)?(?:github|gitlab|bitbucket)\.(?:com|org)/[^/?#]+/[^/?#]", re.IGNORECASE)
PATHS = re.compile(
    rf"[^\s?#]{{4,200}}?/(?:~(?=\w)|(?=@\w)|(?:u|users?|profiles?|members?|people|authors?|"
    rf"accounts?)/(?:\d{{1,12}}/)?){NAME}",
    re.IGNORECASE,
)
QUERY = re.compile(
    rf"[^\s?]{{4,300}}\?(?:[^\s&]{{1,100}}&){{0,8}}(?:user(?:_?name)?|login|uname|screen_name|author|e?mail)={NAME}",
    re.IGNORECASE,
)
NOBODY = words(
    """
    about features topics orgs explore login signup search settings help home index share sharer sharer.php intent
    hashtag pages groups watch events marketplace new me all list edit create add delete register logout pricing
    marketplace status i p reel explore terms privacy policies en us docs blog api v1 v2 sign_in sign-in password
    admin root guest public
    """
)


def find_urls(source: Source) -> Iterator[Span]:
    """URLs that carry a user's name: before the host (RFC 3986, section 3.2.1), in the path or in the query."""
    for match in source.near_words(URL, ("://", "www.", ".com/", ".me/"), before=16):
        url = match[0].rstrip(TRAILING)
        if score := _score(url):
            yield Span(match.start(), match.start() + len(url), "url", score)


def _score(url: str) -> float:
    if CREDENTIALS.match(url):
        return 1.0
    if PROJECT.match(url):
        return 0
    for form, score in ((PROFILES, 0.9), (PATHS, 0.8), (QUERY, 0.8)):
        found = form.match(url)
        if found and found["name"].lower() not in NOBODY and not found["name"].isdigit():
            return score
    return 0
