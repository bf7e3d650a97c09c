"""The scripts that names can be restricted to, by their Unicode names."""

import difflib
from typing import Final

from rnn_core.errors import ConfigError

# Those that Arrow's regular expressions know. Common and Inherited are not among them: characters of these
# (spaces, hyphens, digits, combining marks) go with every script.
SCRIPTS: Final = frozenset(
    """
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki
    Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee
    Chorasmian Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan
    Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati
    Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic
    Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi
    Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian
    Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek
    Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean
    Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian
    Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur
    Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic
    Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese
    Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana
    Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
    """.split()  # noqa: SIM905  # as a text it can be read
)

_OF_LANGUAGES: Final = {
    "chinese": ("Han",),
    "japanese": ("Han", "Hiragana", "Katakana"),
    "korean": ("Hangul", "Han"),
    "hindi": ("Devanagari",),
    "russian": ("Cyrillic",),
    "persian": ("Arabic",),
    "english": ("Latin",),
}


def check_scripts(option: str, scripts: object) -> None:
    """Check that all are scripts. Raises ConfigError, with the nearest names, otherwise."""
    if not isinstance(scripts, tuple) or not all(isinstance(script, str) for script in scripts):
        raise _unknown(option, repr(scripts), ("Latin", "Greek"))
    for script in scripts:
        if script not in SCRIPTS:
            raise _unknown(option, script, _OF_LANGUAGES.get(script.lower()) or _near(script))


def _near(script: str) -> tuple[str, ...]:
    by_lower_case = {known.lower(): known for known in sorted(SCRIPTS)}
    near = difflib.get_close_matches(script.lower().replace(" ", "_"), by_lower_case, n=3, cutoff=0.0)
    return tuple(by_lower_case[name] for name in near)


def _unknown(option: str, saw: str, instead: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        "config.script",
        f"{option} must be names of Unicode scripts",
        where=option,
        saw=saw,
        fix=f"did you mean {', '.join(instead)}? Scripts are listed by name, as in Latin, Greek, Old_Turkic.",
    )
