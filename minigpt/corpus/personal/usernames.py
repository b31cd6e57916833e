"""Names that people have on machines: handles (@ann), logins after a cue, and home folders."""

import re
from collections.abc import Iterator

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span
from minigpt.corpus.personal.words import words

HANDLE = re.compile(r"(?<![\w@./:#$&=+*-])@(?P<name>[A-Za-z_]\w{2,29}(?:\.\w{1,20})?)(?![\w@/({=:]|\.\w|-\w)")
LINE_START = re.compile(r"(?:^|\n)[ \t>*/#+.-]{0,40}$")
# Variables of databases and of Ruby.
VARIABLE_BEFORE = re.compile(r"(?:[=<>(]|\b(?:set|declare|select|into|values|where))\s{0,2}$", re.IGNORECASE)
VARIABLE_AFTER = re.compile(r"\s{0,2}(?::?=|[+*/<>]|\|\||decorat|annotat)")
# Words after an @ that are not people: annotations of code and of its comments, and rules of style sheets.
WORDS = words(
    """
    param params return returns throws exception see since author version deprecated override overrides test before
    after beforeeach aftereach property staticmethod classmethod dataclass abstractmethod contextmanager
    cached_property lru_cache wraps overload pytest mock given media import charset keyframes font supports page
    namespace layer include mixin extend use forward apply tailwind container component autowired inject entity
    table column id bean service controller repository suppresswarnings functionalinterface nullable notnull nonnull
    type types typedef example todo link code brief file ingroup private public protected const global interface
    license copyright internal no_type_check asynccontextmanager everyone here channel all home work latest next
    """
)
SOCIAL = re.compile(
    r"\b(?:twitter|instagram|insta|ig|tiktok|telegram|github|discord|mastodon|snapchat|snap|handle|follow(?:ing)?|"
    r"dm|pm|tweet(?:ed|s)?|via|cc|by|rt|ping|thanks?|thank you|hi|hey|hello|ask|assign(?:ed)?|reviewed|"
    r"mention(?:ed)?)\b[^\n@]{0,24}$",
    re.IGNORECASE,
)
LOGIN = re.compile(
    r"(?<![\w-])(?:user(?:[ _-]?(?:name|id))?|login(?:[ _-]?name)?|log[ _-]?in|screen[ _-]?name|"
    r"nick(?:[ _-]?name)?|handle|gamertag|account[ _-]name|benutzername|nutzername|identifiant|nombre de usuario|"
    r"usuario|gebruikersnaam|skype(?:[ ]id)?|discord|telegram|snapchat|instagram|twitter|github|"
    r"gitlab)[\"']?[ ]?(?:(?P<strong>[ ]is[ ]|[ ]was[ ])|[:=]|"
    r"[ ]as[ ])[ ]?(?P<mark>[\"'`]?)(?P<name>@?[A-Za-z0-9_][\w.-]{2,31}(?:#\d{4})?)(?(mark)(?P=mark))(?![\w(\[])",
    re.IGNORECASE,
)
LOGIN_WORDS = (
    "user",
    "login",
    "log in",
    "log-in",
    "log_in",
    "screen",
    "nick",
    "handle",
    "gamertag",
    "account",
    "benutzername",
    "nutzername",
    "identifiant",
    "usuario",
    "gebruikersnaam",
    "skype",
    "discord",
    "telegram",
    "snapchat",
    "instagram",
    "twitter",
    "github",
    "gitlab",
)
REDDIT = re.compile(r"(?<![\w/.])/?u/[A-Za-z0-9][\w-]{2,19}(?![\w/-])")
LOOSE = re.compile(r"user(?![ _-]?name)", re.IGNORECASE)  # "the user is", "user_id: UserId"
HOME = re.compile(
    r"(?:(?<![\w/.])/(?:home|Users)/|\b[A-Za-z]:[\\/]{1,2}(?:Users|"
    r"Documents and Settings)[\\/]{1,2})(?P<name>[A-Za-z_][\w.-]{1,31})(?=[\\/\s\"':;,)]|$)"
)
NO_NAMES = words(
    """
    str string text none null nil true false int integer varchar char number required optional default unknown root
    admin administrator user users username name test guest public shared the your their this that invalid failed
    success successful empty missing error not already taken request self ubuntu runner vagrant jovyan circleci
    travis node app www-data nobody all available unique case correct incorrect wrong used valid also example
    see please enter use type choose
    """
)


def find_usernames(source: Source) -> Iterator[Span]:
    """Handles, logins and home folders. Of a home folder and of a login the name alone is the span."""
    if "@" in source.text:
        yield from _handles(source)
    for match in source.near_words(LOGIN, LOGIN_WORDS, before=16, after=80):
        name = match["name"].rstrip(".-")
        if _is_login(match, name):
            yield Span(match.start("name"), match.start("name") + len(name), "username", 0.8)
    for match in REDDIT.finditer(source.text) if "u/" in source.text else ():
        yield Span(match.start(), match.end(), "username", 0.75)
    for match in source.near_words(HOME, ("/home/", "users", "settings"), before=24, after=80):
        if match["name"].lower() not in NO_NAMES:
            yield Span(match.start("name"), match.end("name"), "username", 0.9)


def _is_login(match: re.Match[str], name: str) -> bool:
    """Whether a value after a cue is a name rather than a word of the sentence or of the program."""
    bare = name.lstrip("@").lower()
    if bare in NO_NAMES or bare.isdigit():
        return False
    is_odd = any(c.isdigit() or c in "_.@#" for c in name)
    says_name = not LOOSE.match(match[0])
    return is_odd or bool(match["mark"]) or (says_name and (":" in match[0] or bool(match["strong"])))


def _handles(source: Source) -> Iterator[Span]:
    for match in HANDLE.finditer(source.text):
        name, before, after = match["name"], source.before(match.start()), source.after(match.end(), 1)
        if VARIABLE_BEFORE.search(before) or VARIABLE_AFTER.match(source.after(match.end(), 12)):
            continue
        is_annotation = LINE_START.search(before) and (after in ("\n", "") or "." in name)
        if name.lower() in WORDS or (is_annotation and before.strip(" \t") != "") or (is_annotation and after == "\n"):
            continue
        yield Span(match.start(), match.end(), "username", 0.85 if SOCIAL.search(before) else 0.7)
