"""Where people are whom one knows by their numbers only: the time zones of calling codes.

Of a country with several zones the outermost ones that people live in: what is right in all of
them is right in those between.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_NUMBERS: Final = frozenset({"", "s.whatsapp.net", "c.us"})
_LONGEST_CODE: Final = 4

# A line per zone or group of zones: the calling codes, then where that is.
_TABLE: Final = """
1 America/New_York America/Los_Angeles Pacific/Honolulu America/Halifax
1242 America/Nassau
1246,1758,1784,1473,1767,1869,1868,1268,1264,1664,1721,1284,1340,1787,1939,1441 America/Puerto_Rico
1809,1829,1849 America/Santo_Domingo
1345,1876,1658 America/Jamaica
1649 America/Grand_Turk
1670,1671 Pacific/Guam
1684 Pacific/Pago_Pago
7 Europe/Kaliningrad Asia/Kamchatka
76,77 Asia/Almaty Asia/Aqtau
20 Africa/Cairo
211 Africa/Juba
212 Africa/Casablanca
213 Africa/Algiers
216 Africa/Tunis
218 Africa/Tripoli
220,221,222,223,224,225,226,228,231,232,233,239,245 Africa/Abidjan
227,229,234,235,236,237,240,241,242,244 Africa/Lagos
230 Indian/Mauritius
238 Atlantic/Cape_Verde
243 Africa/Kinshasa Africa/Lubumbashi
246 Indian/Chagos
247,290 Atlantic/St_Helena
248 Indian/Mahe
249 Africa/Khartoum
250,257,258,260,263,265,267 Africa/Maputo
251,252,253,254,255,256,261,269,291 Africa/Nairobi
262 Indian/Reunion Indian/Mayotte
264 Africa/Windhoek
266,268,27 Africa/Johannesburg
297,599,5999 America/Curacao
298 Atlantic/Faroe
299 America/Nuuk
30 Europe/Athens
31 Europe/Amsterdam
32 Europe/Brussels
33,377 Europe/Paris
34 Europe/Madrid Atlantic/Canary
350 Europe/Gibraltar
351 Europe/Lisbon Atlantic/Azores
352 Europe/Luxembourg
353 Europe/Dublin
354 Atlantic/Reykjavik
355 Europe/Tirane
356 Europe/Malta
357 Asia/Nicosia
358 Europe/Helsinki
359 Europe/Sofia
36 Europe/Budapest
370 Europe/Vilnius
371 Europe/Riga
372 Europe/Tallinn
373 Europe/Chisinau
374 Asia/Yerevan
375 Europe/Minsk
376 Europe/Andorra
378,39,379 Europe/Rome
380 Europe/Kyiv
381,382,383,385,386,387,389 Europe/Belgrade
40 Europe/Bucharest
41,423 Europe/Zurich
420,421 Europe/Prague
43 Europe/Vienna
44 Europe/London
45 Europe/Copenhagen
46 Europe/Stockholm
47 Europe/Oslo
48 Europe/Warsaw
49 Europe/Berlin
500 Atlantic/Stanley
501 America/Belize
502 America/Guatemala
503 America/El_Salvador
504 America/Tegucigalpa
505 America/Managua
506 America/Costa_Rica
507 America/Panama
508 America/Miquelon
509 America/Port-au-Prince
51 America/Lima
52 America/Tijuana America/Cancun
53 America/Havana
54 America/Argentina/Buenos_Aires
55 America/Rio_Branco America/Sao_Paulo America/Noronha
56 America/Santiago Pacific/Easter
57 America/Bogota
58 America/Caracas
590,596 America/Martinique
591 America/La_Paz
592 America/Guyana
593 America/Guayaquil Pacific/Galapagos
594 America/Cayenne
595 America/Asuncion
597 America/Paramaribo
598 America/Montevideo
60 Asia/Kuala_Lumpur
61 Australia/Perth Australia/Sydney Australia/Brisbane
62 Asia/Jakarta Asia/Jayapura
63 Asia/Manila
64 Pacific/Auckland Pacific/Chatham
65 Asia/Singapore
66 Asia/Bangkok
670 Asia/Dili
672 Pacific/Norfolk
673 Asia/Brunei
674 Pacific/Nauru
675 Pacific/Port_Moresby
676 Pacific/Tongatapu
677 Pacific/Guadalcanal
678 Pacific/Efate
679 Pacific/Fiji
680 Pacific/Palau
681,688,692 Pacific/Tarawa
682 Pacific/Rarotonga
683 Pacific/Niue
685 Pacific/Apia
686 Pacific/Tarawa Pacific/Kiritimati
687 Pacific/Noumea
689 Pacific/Tahiti
690 Pacific/Fakaofo
691 Pacific/Port_Moresby Pacific/Kosrae
81 Asia/Tokyo
82 Asia/Seoul
84 Asia/Ho_Chi_Minh
850 Asia/Pyongyang
852 Asia/Hong_Kong
853 Asia/Macau
855 Asia/Phnom_Penh
856 Asia/Vientiane
86 Asia/Shanghai
880 Asia/Dhaka
886 Asia/Taipei
90 Europe/Istanbul
91 Asia/Kolkata
92 Asia/Karachi
93 Asia/Kabul
94 Asia/Colombo
95 Asia/Yangon
960 Indian/Maldives
961 Asia/Beirut
962 Asia/Amman
963 Asia/Damascus
964 Asia/Baghdad
965,966,967,973,974 Asia/Riyadh
968,971 Asia/Dubai
970 Asia/Hebron
972 Asia/Jerusalem
975 Asia/Thimphu
976 Asia/Hovd Asia/Ulaanbaatar
977 Asia/Kathmandu
98 Asia/Tehran
992 Asia/Dushanbe
993 Asia/Ashgabat
994 Asia/Baku
995 Asia/Tbilisi
996 Asia/Bishkek
998 Asia/Tashkent
"""


@lru_cache(maxsize=1)
def _zones() -> Mapping[str, tuple[str, ...]]:
    zones = {}
    for line in _TABLE.strip().splitlines():
        codes, *names = line.split()
        zones.update(dict.fromkeys(codes.split(","), tuple(names)))
    return zones


def zones_of_number(recipient: str) -> tuple[str, ...]:
    """Return the names of the zones that a recipient may be in; none if nothing tells.

    Args:
        recipient: A phone number or a JID; one of a group, or that hides the number, tells nothing.
    """
    user, _, server = recipient.removeprefix("+").partition("@")
    if server not in _NUMBERS:
        return ()
    codes = (user[:size] for size in range(_LONGEST_CODE, 0, -1))
    return next((found for code in codes if (found := _zones().get(code))), ())
