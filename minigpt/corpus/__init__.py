"""What a training corpus is made of, and what is taken out of it: personal information (`minigpt.corpus.personal`)."""
