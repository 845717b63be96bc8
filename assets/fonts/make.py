"""Makes the window's fonts from the published ones: Inter (npm `inter-ui` 4.1.1), JetBrains Mono (npm
`@fontsource/jetbrains-mono` 5.3.0) and Lucide's icons (npm `lucide-static` 1.62.0).

    python3 assets/fonts/make.py FOLDER     FOLDER holds the three unpacked packages, as `npm pack` names them

Inter keeps Latin, Greek and Cyrillic, and its digits become those of equal width, so that a figure
that counts does not shift what stands beside it. Lucide keeps the icons that `app/src/theme/icons.rs`
names. Needs fonttools and brotli.
"""

import json
import re
import sys
from pathlib import Path

from fontTools import subset
from fontTools.merge import Merger
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
ICONS = HERE.parents[1] / "app/src/theme/icons.rs"
TEXT = [*range(0x20, 0x7F), *range(0xA0, 0x250), *range(0x370, 0x400), *range(0x400, 0x530), *range(0x1E00, 0x1F00),
        *range(0x2000, 0x2070), *range(0x2070, 0x20D0), *range(0x2100, 0x2150), *range(0x2190, 0x2200),
        *range(0x2200, 0x2300), *range(0x25A0, 0x2600), 0x2713, 0x2717, 0xFFFD]


def cut(font: TTFont, codepoints: list[int], glyphs: list[str]) -> None:
    options = subset.Options()
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    options.hinting = False
    options.desubroutinize = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.drop_tables += ["DSIG", "STAT", "MATH"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codepoints, glyphs=glyphs)
    cutter.subset(font)


def equal_digits(font: TTFont) -> None:
    """Maps each digit to the glyph that the feature `tnum` would put in its place."""
    table = font["GSUB"].table
    lookups = {i for record in table.FeatureList.FeatureRecord if record.FeatureTag == "tnum"
               for i in record.Feature.LookupListIndex}
    replaced = {}
    for index in lookups:
        for part in table.LookupList.Lookup[index].SubTable:
            part = getattr(part, "ExtSubTable", part)
            replaced.update(getattr(part, "mapping", {}))
    equal = {code: replaced[font.getBestCmap()[code]] for code in range(0x30, 0x3A)}
    for cmap in font["cmap"].tables:
        if cmap.isUnicode():
            cmap.cmap.update(equal)


def save(font: TTFont, name: str) -> None:
    font.flavor = None
    font.save(HERE / name)
    print(name, (HERE / name).stat().st_size)


def main() -> None:
    packages = Path(sys.argv[1])
    for weight in ["Regular", "Medium", "SemiBold"]:
        font = TTFont(next(packages.glob(f"inter-ui-*/package/**/Inter-{weight}.woff2")))
        equal_digits(font)
        cut(font, TEXT, [])
        save(font, f"Inter-{weight}.ttf")

    mono = TTFont(next(packages.glob("fontsource-jetbrains-mono-*/package/files/jetbrains-mono-latin-400-normal.woff2")))
    # Without its ligatures: `<|im_start|>` is read as it is written.
    cut(mono, list(mono.getBestCmap()), [])
    save(mono, "JetBrainsMono-Regular.ttf")

    codes = json.loads(next(packages.glob("lucide-static-*/package/font/codepoints.json")).read_text())
    by_code = {code: name for name, code in codes.items()}
    named = [int(code, 16) for code in re.findall(r"\\u\{([0-9a-f]+)\}", ICONS.read_text())]
    missing = [hex(code) for code in named if code not in by_code]
    assert not missing, missing
    icons = TTFont(next(packages.glob("lucide-static-*/package/font/lucide.ttf")))
    cut(icons, named, [])
    save(icons, "Lucide.ttf")


main()
