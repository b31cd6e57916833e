"""Postal addresses: a street with a number, in the forms of many languages, with flat, town and postcode after it.

A street without a number is not found, and of towns only those that follow a street.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span

WORD = r"(?:[dl]['’])?[A-ZÀ-ÖØ-ÞĀ-ŽΆ-ΫА-Я](?:[^\W\d_]|['’-](?=\w)){0,24}+"
SMALL = (
    r"(?:(?:de|del|della|delle|dei|di|da|do|dos|das|des|du|la|las|le|el|les|los|of|the|and|van|von|den|der|het|ten|"
    r"ter|al|y|e|i|a|à|zu|zur|zum|am|im|an|ibn|nad|pod|sur|sous|upon|bei|aan|St\.|Ste\.|St|Ste)(?!\w))"
)
NAMES = rf"(?:(?:{WORD}|{SMALL}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}?"
# English kinds of streets (US Postal Service, Publication 28, appendix C1, and their British and Australian kin).
STRONG = (
    r"street|str|st|avenue|aven?|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|square|sq|terrace|ter|tce|"
    r"crescent|cres|parkway|pkwy|highway|hwy|trail|trl|alley|gardens|gdns|grove|mews|parade|pde|esplanade|turnpike|"
    r"expressway|freeway|causeway|plaza|circle|cir"
)
# Those that are ordinary words, too, count only in front of a town or after a cue.
WEAK = (
    r"annex|arcade|bayou|beach|bend|bluffs?|bottom|branch|bridge|brooks?|burgs?|bypass|camp|canyon|cape|centers?|"
    r"centre|cliffs?|close|club|common|commons|corners?|course|courts|coves?|creek|crest|crossing|crossroads?|"
    r"curve|dale|dam|divide|drives|estates?|extensions?|falls|ferry|fields?|flats?|fords?|forest|forges?|forks?|"
    r"fort|garden|gateway|glens?|greens?|groves|harbors?|haven|heights|hills?|hollow|inlet|islands?|isle|"
    r"junctions?|keys?|knolls?|lakes?|land|landing|lights?|loaf|locks?|lodge|loop|mall|manors?|meadows?|mills?|"
    r"mission|motorway|mount|mountains?|neck|orchard|oval|overpass|parks?|parkways|pass|passage|path|pike|pines?|"
    r"place|pl|plains?|points?|ports?|prairie|quay|radial|ramp|ranch|rapids?|rest|ridges?|rise|river|roads|route|"
    r"row|rue|run|shoals?|shores?|skyway|springs?|spurs?|squares?|station|stravenue|stream|streets|summit|"
    r"throughway|trace|track|trafficway|tunnel|underpass|unions?|valleys?|via|viaduct|views?|villages?|ville|vista|"
    r"walks?|wall|ways?|wells?|wharf"
)
# Words that begin or end a street's name elsewhere.
BEFORE = (
    r"(?:rue|avenue|av\.?|boulevard|bd\.?|all[ée]e|chemin|impasse|place|quai|cours|passage|route|square|calle|c/|"
    r"avenida|avda\.?|plaza|paseo|carrera|camino|rua|r[úu]a|travessa|estrada|pra[çc]a|alameda|largo|rodovia|via|"
    r"viale|piazza|piazzale|corso|vicolo|largo|strada|ul\.|ulica|al\.|aleja|os\.|pl\.|Λ\.|улица|ул\.|str\.|strada|"
    r"jalan|jl\.)"
)
BEHIND = (
    r"(?:stra(?:ß|ss)e|str\.?|weg|gasse|allee|platz|ufer|straat|laan|plein|gracht|kade|dijk|singel|v[äe]gen|gatan|"
    r"gaten|vej(?:en)?|gade|vei(?:en)?|stigen|katu|kuja|polku|kaari|utca|mnt|põiestee|stræde|vænget|ulica|ulice)"
)
UNSURE = (
    r"(?:ring|damm|steig|stieg|graben|markt|dreef|hof|pad|gata|v[äe]g|stien|gr[äe]nd|backen|torget|veien|all[ée]|"
    r"tie|braut|stígur|vegur|tn|parken|bakken|haven|toften|kroken|gränd|lund|marken|h[øö]j|plan|kulma|rinne|ova|"
    r"ska|ická|cesta|trg|tér|út|u\.|körút|maantee|tänav)"
)
NUMBER = r"\d{1,5}(?:[ ]?[-/–][ ]?\d{1,4})?[A-Za-z]?(?![\w])"
UNITS = (
    r"(?:apartment|apt|suite|ste|unit|flat|floor|fl|room|rm|building|bldg|lot|no|box|wohnung|top|appartement|app|"
    r"apto|piso|interno)"
)
SECONDARY = (
    rf"(?:(?i:{UNITS})(?:\.?[ ]?#?\d[A-Za-z0-9-]{{0,5}}|(?:\.[ ]?|[ ])#?(?:[A-Za-z](?!\w)|"
    rf"(?=[A-Za-z-]*\d)[A-Za-z0-9-]{{1,6}}))|#[ ]?\w{{1,5}})"
)
STATES = (
    "A[LKZR]|C[AOT]|D[EC]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|"
    "V[TA]|W[AVIY]|PR|GU|VI|AS|MP|A[AEP]|"
    "ON|QC|BC|AB|MB|SK|NS|NB|NL|PE|NSW|VIC|QLD|TAS|ACT|NT"
)
BRITISH, CANADIAN = r"[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2}", r"[A-Z]\d[A-Z][ ]?\d[A-Z]\d"
POSTCODE = (
    rf"(?<!\w)(?:{BRITISH}|{CANADIAN}|\d{{4}}[ ]?[A-Z]{{2}}|\d{{5}}(?:-\d{{3,4}})?|"
    r"\d{4}(?:-\d{3})?|\d{3}[ ]\d\d|\d\d-\d{3})(?![\w-])"
)
SURE = 0.86  # the score of one with a town and a postcode or a country: more than that of a name in its street
LINE = r"[ \t>?]{0,6}(?:\n[ \t>?,]{0,8}){0,2}"
TOWN = rf"(?:{WORD}|{SMALL})(?:[ -](?:{WORD}|{SMALL})){{0,3}}"
COUNTRY = (
    "Argentina|Australia|Austria|Belgium|Brazil|Bulgaria|Canada|Chile|China|Colombia|Croatia|Cyprus|Czech "
    "Republic|Czechia|Denmark|Egypt|Estonia|Finland|France|Germany|Greece|Greenland(?:er)?|Hungary|"
    "Iceland|India|Indonesia|Ireland|Israel|Italy|Japan|Kenya|Latvia|Lithuania|Luxembourg|Malaysia|Mexico|"
    "Netherlands|The Netherlands|New Zealand|Nigeria|Norway|Peru|Philippines|Poland|Portugal|Romania|"
    "Russia|Scotland|Serbia|Singapore|Slovakia|Slovenia|South Africa|South Korea|Spain|Sweden|Switzerland|"
    "Thailand|Tunisia|Turkey|Ukraine|United Kingdom|United States|Uruguay|USA|UK|Vietnam|Wales|England|"
    "Deutschland|Österreich|Schweiz|España|Italia|Brasil|México|Nederland|Polska|Sverige|Norge|Danmark|Suomi"
)
REGION = rf"(?:,?{LINE}(?:(?:{STATES})(?![\w])|{TOWN}))"
END = (
    rf"(?:,?{LINE}(?:{COUNTRY})(?![\w])(?:[ ]\(\w{{2,12}}\))?(?:,?{LINE}(?:{POSTCODE}|\d{{3}}(?!\w)))?|"
    rf",?{LINE}{POSTCODE})"
)
# What follows a street. soft: a town that no postcode or country makes sure.
TAIL = re.compile(
    rf"\.?(?:,?{LINE}{SECONDARY}(?![\w]){REGION}{{0,2}}?{END}|,?{LINE}{SECONDARY}(?![\w]){REGION}{{0,2}}|"
    rf",[ ]{{0,2}}{POSTCODE}(?:[ ]{TOWN})?|,?{LINE}{TOWN}{REGION}{{0,2}}?{END}|"
    rf",?{LINE}{TOWN},?{LINE}(?:{STATES})(?![\w])|{LINE}{POSTCODE}[ ]{TOWN}|"
    rf"(?P<soft>,[ ]{{1,2}}{TOWN}(?:,[ ]{TOWN})?))"
)
CORE = (
    rf"{NUMBER},?[ ](?:\d{{1,5}}[ ])?(?:(?:North|South|East|West|[NSEW]\.?|"
    rf"[NS][EW])[ ])?{NAMES}(?i:%s)(?![\w])\.?(?:[ ](?:[NSEW]|[NS][EW])\b)?"
)
# "Ann Lee Suite 21" is a name and a unit.
NO_UNIT = r"(?!(?i:apartment|apt|suite|ste|unit|flat|floor|room|rm|building|bldg)[ .])"
ANY = (
    rf"(?:{SECONDARY}[ ])?(?:{NUMBER},?[ ](?:\d{{1,4}}[ ])?(?!and[ ]|[A-Z]{{2,5}}[ ]\d)(?:{WORD}|{SMALL})"
    rf"(?:\.?[ ]{WORD}|[ ]{SMALL}){{0,5}}(?:[ ]{NUMBER})?|"
    rf"(?![A-ZÀ-Þ]{{2}}){NO_UNIT}{WORD}(?:\.?[ ]{NO_UNIT}{WORD}|[ ]{SMALL}){{0,4}}[ ]{NUMBER})"
)


class Form(NamedTuple):
    """How a street may be written. needs: what must follow (or a cue before it); is_behind: the number is behind it."""

    pattern: re.Pattern[str]
    score: float
    needs: str = "nothing"  # | "town" | "postcode"
    is_behind: bool = False


def _form(pattern: str, score: float = 0.8, needs: str = "nothing", *, is_behind: bool = False) -> Form:
    return Form(re.compile(rf"(?<![\w.,/:-])(?<!\d[ .,])(?:{pattern})"), score, needs, is_behind)


FORMS = (
    _form(CORE % STRONG),
    _form(
        rf"{NUMBER},?[ ](?:\d{{1,4}}[ ])?(?i:{BEFORE})[ ](?:{WORD}|{SMALL}(?:[ ][^\W\d_]{{3,24}})?|"
        rf"\d{{1,3}})(?:[ ](?:{WORD}|{SMALL})){{0,4}}"
    ),
    _form(
        rf"(?:{NUMBER}[ ])?(?i:{BEFORE})[ ]?(?:(?:{WORD}|{SMALL}|"
        rf"\d{{1,2}})[ ]){{0,4}}?{WORD},?[ ](?:n\.?º?[ ]?)?{NUMBER}",
        is_behind=True,
    ),
    _form(rf"(?:{NUMBER}[ ])?(?:{WORD}[ -]){{0,2}}\w{{2,30}}(?i:{BEHIND})[ ]{NUMBER}", is_behind=True),
    _form(r"(?i:P\.?[ ]?O\.?[ ]Box|Postfach|Casilla|Apartado|Boîte postale|Postboks|Postbus)[ ]#?\d{1,7}"),
    _form(r"(?:Unit|PSC|USNS|USS|USCGC|USNV)[ ][A-Z\d][\w.-]{0,24}(?:[ ]Box[ ]\d{1,5})?(?=\n?[ ]?(?:APO|FPO|DPO))"),
    _form(CORE % WEAK, 0.77, "town"),
    _form(
        rf"(?:{NUMBER}[ ])?(?:{WORD}[ -]){{0,2}}(?:\w{{2,30}}(?i:{UNSURE})|(?i:{UNSURE}|{BEHIND}))[ ]{NUMBER}",
        0.77,
        "town",
        is_behind=True,
    ),
    _form(ANY, 0.72, "postcode"),
)
MILITARY = re.compile(r"\n?[ ]?[AFD]PO[ ]A[AEP][ ]\d{5}")
# A town that its postcode makes sure, and the forms of postcodes that nothing else has.
TOWN_WITH_CODE = re.compile(
    rf"(?<![\w-]){TOWN}(?:,[ ](?:{STATES})[ ]\d{{5}}(?:-\d{{4}})?|,?[ ](?:(?:{STATES})[ ])?{CANADIAN}|,?[ ]{BRITISH})"
    r"(?![\w-])"
)
# After a cue a number with words is an address, whatever the language; some cues stand right before it.
CUE = re.compile(
    r"\b(?:(?<!ip )(?<!mail )(?<!web )(?<!mac )(?<!memory )address(?:es)?|adresse|direcci[óo]n|indirizzo|"
    r"endere[çc]o|anschrift|(?:lives?|lived|living|located|reside[sd]?|residing|resident|restaurant is|"
    r"offices? (?:is|are)|drops? you off|bus stop|house|home|meet(?:ing)?(?: me| you| us| him| her| them)?|taxi|"
    r"arrived|wohnt|wohnhaft|habite|vive) (?:at|in|on|to|en|à))\b[^\n\d.]{0,36}\n{0,2}[ \t>?]{0,8}$|"
    r"\b(?:(?:stop|station|office|shop|store|restaurant|bar|caf[ée]|hotel|school|clinic|branch)s? (?:is|are|was|were)|"
    r"stop(?:s|ped)?|turn(?:s|ed)?(?: left| right)?|enter|park(?:ed)?|deliver(?:ed|y)?|return|ship(?:ped)?|sent|"
    r"send (?:it|them)|drops? \w{2,4} off) (?:at|in|on|to|onto|into) $|"
    r"\b(?:corner|side|intersection|junction) of (?:[^\n]{1,40} and )?$",
    re.IGNORECASE,
)
# After "Address:" small letters may be part of a street's name, too.
LABELLED = re.compile(
    rf"\b(?i:address|adresse|direcci[óo]n|indirizzo|endere[çc]o|anschrift|adres)[ ]?:[ \t]{{0,12}}\n?[ \t]{{0,12}}"
    rf"(?P<street>(?:{NUMBER}[ ])?{WORD}(?:[ ][^\W\d_]{{1,24}}){{0,4}}[ ]{NUMBER})"
)
POSTCODE_CUED = re.compile(
    rf"\b(?i:zip(?:[ -]?code)?|post(?:al)?[ -]?code|plz|code postal|c[óo]digo postal|cep|cap)\b(?i:[ ]is|"
    rf"[ ]?[:=])?[ ]{{0,2}}({POSTCODE}|(?<=[:=] )\d{{3}}(?![\w.-]))"
)
YEAR = re.compile(r"(?i:\b(?:in|since|until|from|of|by|before|after))[ ]{1,2}(?:1[5-9]|20)\d\d(?!\d)$")
NO_STREET = re.compile(
    r"\b(?:chapter|section|page|version|figure|table|step|line|lines|part|vol|volume|no|number|level|python)[ ]{1,2}$",
    re.IGNORECASE,
)
TIME = re.compile(
    r"(?:During|In|On|Since|By|Until|From|Spring|Summer|Autumn|Winter|Version|Chapter|Section|Page|Figure|Table|"
    r"Windows|Python|iOS|Android|Level|Top|Number|No|Gate|Terminal|Platform|Flight|Channel|Exit|Appendix|Article|"
    r"Phase|Stage|Model|Type|Code|Serial|Order|Day|Week|Part|Step|Item|Line|Row|Class|Grade|Team|Formula|Title)\b|(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|"
    r"Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w{0,6}[ ]\d|\d{1,5}(?:st|nd|rd|th|"
    r"s)?[ ](?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|"
    r"Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Days?|Hours?|Years?|Percent|Million|Billion)\b"
)


def find_addresses(source: Source) -> Iterator[Span]:
    """Streets with their number and what follows; post boxes; towns with a postcode; postcodes after a cue."""
    for form in FORMS:
        for match in source.within(source.after_words if form.is_behind else source.any_digits, form.pattern):
            end, is_sure = _end(source.text, match.end())
            is_enough = form.needs == "nothing" or is_sure or (form.needs == "town" and end > match.end())
            if not _is_other(source, match) and (is_enough or CUE.search(source.before(match.start()))):
                yield Span(match.start(), end, "address", SURE if is_sure else form.score)
    for match in source.within(source.after_words, LABELLED):
        yield Span(match.start("street"), _end(source.text, match.end())[0], "address", 0.8)
    for match in source.near_digits(TOWN_WITH_CODE, few=True):
        if not TIME.match(match[0]):
            yield Span(*match.span(), "address", 0.7)
    for match in source.near_digits(POSTCODE_CUED, few=True):
        yield Span(*match.span(1), "address", 0.7)


def _is_other(source: Source, match: re.Match[str]) -> bool:
    """Whether the number before the words is a day, an amount or the number of a chapter."""
    is_counted = match[0][0].isdigit() and NO_STREET.search(source.before(match.start(), 16))
    return bool(TIME.match(match[0]) or is_counted or YEAR.search(source.before(match.start() + 4, 16)))


def _end(text: str, place: int) -> tuple[int, bool]:
    """Where an address ends whose street ends here, and whether what follows makes sure that it is one."""
    tail = MILITARY.match(text, place) or TAIL.match(text, place)
    return (tail.end(), "soft" not in tail.re.groupindex or tail["soft"] is None) if tail else (place, False)
