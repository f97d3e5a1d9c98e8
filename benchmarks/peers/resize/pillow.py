"""Pillow's part of './graft bench --resize': pillow.py FOLDER WIDTHxHEIGHT. Pillow-SIMD has the same interface."""
import sys
from statistics import median
from time import perf_counter

try:
    import PIL
    from PIL import Image
except ImportError:
    sys.exit(f"{sys.executable} has no Pillow: install it (Debian: python3-pil), or name another: --resize PYTHON.")

folder, (width, height) = sys.argv[1], map(int, sys.argv[2].split("x"))
with open(f"{folder}/photo", "rb") as f:
    image = Image.frombytes("RGB", (width, height), f.read())
small = (256 * width // height, 256)
left, top = round((small[0] - 224) / 2), round((small[1] - 224) / 2)
rows = {
    "resize": lambda: image.resize(small, Image.BILINEAR),
    "resize_crop": lambda: image.resize(small, Image.BILINEAR).crop((left, top, left + 224, top + 224)),
}


def time(call, seconds):
    each, begun = [], perf_counter()
    while perf_counter() - begun < seconds:
        start = perf_counter()
        call()
        each.append(1000 * (perf_counter() - start))
    return median(each)


print(f"engine Pillow {PIL.__version__}, Python {sys.version.split()[0]}")
for name, call in rows.items():
    with open(f"{folder}/{name}", "wb") as f:
        f.write(call().tobytes())
    time(call, 1)
    print(name, time(call, 0.5))
