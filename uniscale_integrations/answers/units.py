"""Units of measurement and currencies by the ways in which they are written."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple


class MeasurementUnit(NamedTuple):
    """A unit.

    Attributes:
        dimension: what it measures; units of one dimension are converted into each other.
        factor: how much of the dimension's first unit it is.
    """

    dimension: str
    factor: Fraction


def _table() -> Mapping[str, MeasurementUnit]:
    definitions = {
        "length": "1 m meter metre mètre metro; "
        "1/1000 mm millimeter millimetre; 1/100 cm centimeter centimetre; 1/10 dm decimeter decimetre; "
        "1000 km kilometer kilometre; 0.0254 in inch inche; 0.3048 ft foot feet; 0.9144 yd yard; 1609.344 mi mile; 1/1000000 µm um "
        "micrometer; 1/1000000000 nm nanometer",
        "mass": "1 g gram gramme; 1/1000 mg milligram; 1000 kg kilogram kilo; 1000000 tonne; 453.59237 lb pound; 28.349523125 oz ounce",
        "time": "1 s sec second sekunde; 1/1000 ms millisecond; 60 min minute minuto minuten; 3600 h hr hour std stunde stunden heure "
        "hora; 86400 day; 604800 week",
        "volume": "1 l liter litre; 1/1000 ml milliliter millilitre; 1/100 cl centiliter",
        "area": "1 m^2 sqm square-meter square-metre; 1/10000 cm^2 square-centimeter square-centimetre; "
        "1000000 km^2 square-kilometer square-kilometre; 1/1000000 mm^2",
        "cubic": "1 m^3 cubic-meter cubic-metre; 1/1000000 cm^3 cubic-centimeter cubic-centimetre",
        "speed": "1 m/s meter/second metre/second; 5/18 km/h kph kmh kilometer/hour kilometre/hour; 0.44704 mph mile/hour",
        "acceleration": "1 m/s^2 meter/second^2",
        "angle": "1 ° deg degree grad",
        "celsius": "1 °c celsius degree-celsius degrees-celsius",
        "fahrenheit": "1 °f fahrenheit degree-fahrenheit degrees-fahrenheit",
        "data": "1 b byte; 1000 kb; 1000000 mb; 1000000000 gb; 1000000000000 tb",
        "force": "1 n newton; 1000 kn kilonewton",
        "energy": "1 j joule; 1000 kj kilojoule",
        "power": "1 w watt; 1000 kw kilowatt",
        "current": "1 a ampere amp",
        "voltage": "1 v volt",
        "frequency": "1 hz hertz; 1000 khz; 1000000 mhz; 1000000000 ghz",
        "dollars": "1 $ usd dollar us$ us-dollar; 1/100 cent ¢",
        "euros": "1 € eur euro",
        "sterling": "1 £ gbp",
        "yen": "1 ¥ jpy yen",
        "reais": "1 r$ brl real reais",
        "rupees": "1 ₹ inr rupee",
        "roubles": "1 ₽ rub rouble ruble руб",
        "percent": "1 % percent per-cent prozent percentage pct por-ciento pour-cent por-cento процентов",
    }
    table: dict[str, MeasurementUnit] = {}
    for dimension, units in definitions.items():
        for entry in units.split(";"):
            factor, *names = entry.split()
            table.update({name.replace("-", " "): MeasurementUnit(dimension, Fraction(factor)) for name in names})
    return table


UNITS = _table()
"""By its name in small letters, in the singular."""

DIMENSIONS = frozenset(each.dimension for each in UNITS.values())
"""What units measure."""

CURRENCIES = "$€£¥₹₽"
"""Signs that stand before an amount, too."""


def unit(name: str) -> MeasurementUnit:
    """The unit of that name; one that is not known measures nothing but itself, so that 12 apples are no 12 pears.

    Example:
        >>> unit("Kilometers") == unit("km"), unit("red apples").dimension
        (True, 'red apple')
    """
    small = name.casefold().strip(" .()[]").replace(" per ", "/")
    for each in (small, small.removesuffix("s"), small.removesuffix("es"), small.replace("s/", "/")):
        if each in UNITS:
            return UNITS[each]
    return MeasurementUnit(" ".join(word.removesuffix("s") if len(word) > 3 else word for word in small.split()), Fraction(1))
