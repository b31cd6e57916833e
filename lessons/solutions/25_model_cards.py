"""Lesson 25: what a card says, checked."""


def wrong_rows(card: dict[str, str], found: dict[str, str]) -> list[str]:
    """The names of the rows of a card that do not hold, in the order of the alphabet.

    card: what the card says, as written, by the name of the row. found: what the commands say, by the same names.
    A row does not hold if it is written otherwise than it was found, if the commands do not know it, or if the
    commands say it and the card leaves it out.
    """
    # answer
    return sorted(name for name in card.keys() | found.keys() if card.get(name) != found.get(name))
    # end of answer


def energy(seconds: float, cores: int, watts: float, grams: float) -> tuple[float, float]:
    """What a training used, by what is assumed of the machine: (kilowatt hours, grams of CO2).

    seconds: of training; cores: that worked all the time; watts: of each core; grams: of CO2 for a kilowatt hour. A
    kilowatt hour is 1000 watts for 3600 seconds.
    """
    # answer
    hours = seconds * cores * watts / 3_600_000
    return hours, hours * grams
    # end of answer
