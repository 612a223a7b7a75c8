"""The scenes that the demo draws: each is a picture of its kind, varied by a generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from image_similarity_search.cli.demo.brush import (
    HEIGHT,
    WIDTH,
    Colour,
    Point,
    ball,
    circle,
    glow,
    gradient,
    hsv,
    leaf,
    mixed,
    ridge,
    turned,
)

Scene: TypeAlias = Callable[[np.random.Generator], Image.Image]


def _hills(rng: np.random.Generator) -> Image.Image:
    hue = rng.uniform(-0.06, 0.09)
    low = hsv(hue + 0.05, 0.6, 1.0)
    image = gradient(hsv(hue + rng.uniform(0.6, 0.7), 0.5, 0.55), hsv(hue, 0.5, 0.88), low, low)
    x, y, radius = rng.uniform(200, 760), rng.uniform(250, 380), rng.uniform(45, 75)
    glow(image, x, y, 420, hsv(hue + 0.08, 0.35, 1.0))
    draw = ImageDraw.Draw(image)
    circle(draw, x, y, radius, hsv(hue + 0.1, 0.25, 1.0))
    far, near = hsv(hue, 0.5, 0.75), hsv(hue + 0.75, 0.6, 0.16)
    for i in range(5):
        outline = ridge(rng, 390 + 72 * i, 46 - 4 * i, rng.uniform(0.7, 1.4))
        draw.polygon(outline, mixed(far, near, i / 4))
    return image


def _night(rng: np.random.Generator) -> Image.Image:
    hue = rng.uniform(0.55, 0.72)
    image = gradient(hsv(hue, 0.85, 0.1), hsv(hue, 0.75, 0.25), hsv(hue - 0.06, 0.6, 0.48))
    draw = ImageDraw.Draw(image)
    for _ in range(260):
        shade = hsv(rng.uniform(0, 1), rng.uniform(0, 0.18), rng.uniform(0.5, 1))
        circle(draw, rng.uniform(0, WIDTH), rng.uniform(0, 560), 0.8 + rng.exponential(0.9), shade)
    x, y, radius = rng.uniform(160, 800), rng.uniform(110, 260), rng.uniform(40, 70)
    glow(image, x, y, 5 * radius, hsv(hue, 0.25, 0.8))
    circle(draw, x, y, radius, (244, 240, 222))
    for _ in range(5):
        angle, far = rng.uniform(0, 6.3), rng.uniform(0.1, 0.65) * radius
        spot = x + far * np.cos(angle), y + far * np.sin(angle)
        circle(draw, *spot, radius * rng.uniform(0.08, 0.2), (222, 217, 198))
    draw.polygon(ridge(rng, 600, 34, 1.0), hsv(hue, 0.7, 0.16))
    for trunk in np.sort(rng.uniform(-20, WIDTH, 26)):
        tall, foot = rng.uniform(70, 190), rng.uniform(690, 720)
        for level in range(4):
            top, wide = foot - tall * (1 - level * 0.22), tall * (0.1 + 0.06 * level)
            tier = [
                (trunk, top),
                (trunk - wide, top + tall * 0.4),
                (trunk + wide, top + tall * 0.4),
            ]
            draw.polygon(tier, hsv(hue, 0.8, 0.07))
    return image


def _flower(rng: np.random.Generator) -> Image.Image:
    green = rng.uniform(0.26, 0.42)
    image = gradient(hsv(green, 0.45, rng.uniform(0.5, 0.75)), hsv(green, 0.65, 0.25))
    draw = ImageDraw.Draw(image)
    for _ in range(26):
        blur = hsv(green + rng.normal(0, 0.05), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.85))
        circle(draw, rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(20, 80), blur)
    image = image.filter(ImageFilter.GaussianBlur(22))
    draw = ImageDraw.Draw(image)
    x, y, radius = rng.uniform(380, 580), rng.uniform(280, 360), rng.uniform(190, 250)
    stem = hsv(green, 0.7, 0.42)
    draw.line([(x, y), (x + rng.uniform(-30, 30), HEIGHT + 20)], stem, 20)
    for side in (0.6, 2.5):
        draw.polygon(turned(leaf(230, 90), -side, x, HEIGHT - 30), mixed(stem, (0, 0, 0), 0.15))
    hue, count, start = rng.uniform(0.75, 1.15), int(rng.integers(9, 17)), rng.uniform(0, 1)
    for ring in range(3):
        length = radius * (1 - 0.22 * ring)
        for i in range(count):
            angle = start + (i + ring / 2) * 2 * np.pi / count
            shade = hsv(hue, 0.78 - 0.14 * ring, 0.72 + 0.12 * ring - 0.1 * (i % 2))
            draw.polygon(turned(leaf(length, length * 3.6 / count + 26), angle, x, y), shade)
    ball(image, x, y, radius * 0.26, hsv(0.12 + rng.uniform(-0.03, 0.02), 0.85, 0.85))
    for _ in range(70):
        angle, far = rng.uniform(0, 6.3), radius * 0.23 * np.sqrt(rng.uniform(0, 1))
        circle(draw, x + far * np.cos(angle), y + far * np.sin(angle), 4, hsv(0.09, 0.8, 0.5))
    return image


def _fruit(rng: np.random.Generator) -> Image.Image:
    wall, wood = rng.uniform(0, 1), rng.uniform(0.05, 0.1)
    image = gradient(hsv(wall, 0.22, 0.86), hsv(wall, 0.3, 0.66))
    image.paste(gradient(hsv(wood, 0.5, 0.66), hsv(wood, 0.6, 0.4), size=(WIDTH, 230)), (0, 490))
    x, rim = rng.uniform(440, 520), 420
    shadow = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(shadow).ellipse((x - 260, 575, x + 330, 660), 130)
    image.paste((30, 18, 10), (0, 0), shadow.filter(ImageFilter.BoxBlur(20)))
    for row, count in enumerate((3, 4, 5)):
        for i in range(count):
            hue = float(rng.choice([0.0, 0.02, 0.08, 0.13, 0.25, 0.95]))
            place = x + (i - (count - 1) / 2) * 105 + rng.uniform(-12, 12)
            lift, radius = rim - 150 + 75 * row + rng.uniform(-10, 10), rng.uniform(58, 74)
            ball(image, place, lift, radius, hsv(hue, 0.82, 0.88))
            top = [(place, lift - radius * 0.8), (place + 8, lift - radius * 1.12)]
            ImageDraw.Draw(image).line(top, (70, 45, 25), 6)
    hue = rng.uniform(0, 1)
    bowl = gradient(hsv(hue, 0.35, 0.95), hsv(hue, 0.55, 0.4), size=(WIDTH, 220))
    mask = Image.new("L", (WIDTH, 220))
    shape = ImageDraw.Draw(mask)
    shape.pieslice((x - 300, -215, x + 300, 205), 0, 180, 255)
    shape.rectangle((x - 90, 190, x + 90, 218), 255)
    image.paste(bowl, (0, rim), mask)
    ImageDraw.Draw(image).line([(x - 296, rim - 4), (x + 296, rim - 4)], hsv(hue, 0.2, 1.0), 9)
    return image


def _city(rng: np.random.Generator) -> Image.Image:
    hue, shore = rng.uniform(0.55, 0.95), 560
    sky = hsv(hue + 0.1, 0.5, 0.85)
    image = gradient(hsv(hue, 0.7, 0.25), hsv(hue + 0.05, 0.6, 0.55), sky, sky)
    draw = ImageDraw.Draw(image)
    for layer in range(3):
        body = mixed(sky, hsv(hue, 0.6, 0.1), 0.4 + 0.28 * layer)
        left = -20.0
        while left < WIDTH:
            wide, tall = rng.uniform(50, 120), rng.uniform(90, 400 - 85 * layer)
            draw.rectangle((left, shore - tall, left + wide, shore), body)
            if tall > 250 and rng.random() < 0.6:
                middle = left + wide / 2
                draw.line([(middle, shore - tall), (middle, shore - tall - 60)], body, 5)
            for across in np.arange(left + 10, left + wide - 12, 18):
                for up in np.arange(16, tall - 12, 24):
                    if layer and rng.random() < 0.38:
                        lamp = hsv(rng.uniform(0.1, 0.15), 0.5, rng.uniform(0.75, 1))
                        box = (across, shore - up - 10, across + 8, shore - up)
                        draw.rectangle(box, lamp)
            left += wide + rng.uniform(-8, 16)
    mirrored = image.crop((0, 2 * shore - HEIGHT, WIDTH, shore)).transpose(
        Image.Transpose.FLIP_TOP_BOTTOM
    )
    water = Image.new("RGB", mirrored.size, hsv(hue, 0.7, 0.22))
    water = Image.blend(mirrored.filter(ImageFilter.BoxBlur(5)), water, 0.45)
    image.paste(water, (0, shore))
    return image


def _fish(rng: np.random.Generator) -> Image.Image:
    sea = rng.uniform(0.47, 0.6)
    image = gradient(hsv(sea, 0.5, 0.88), hsv(sea, 0.75, 0.6), hsv(sea + 0.04, 0.85, 0.28))
    for _ in range(4):
        glow(image, rng.uniform(0, WIDTH), -60, rng.uniform(250, 480), hsv(sea, 0.2, 1.0))
    draw = ImageDraw.Draw(image)
    for _ in range(16):
        foot, tall = rng.uniform(0, WIDTH), rng.uniform(90, 250)
        weed = hsv(rng.uniform(0.3, 0.42), 0.7, rng.uniform(0.25, 0.5))
        draw.polygon(turned(leaf(tall, 34), -1.57 + rng.normal(0, 0.2), foot, HEIGHT), weed)
    hue, size = rng.uniform(-0.05, 0.16), rng.uniform(190, 250)
    x, y, look = rng.uniform(420, 540), rng.uniform(290, 400), float(rng.choice([-1, 1]))
    skin, fin = hsv(hue, 0.85, 0.97), hsv(hue - 0.03, 0.9, 0.78)
    tail = [(-0.75, 0), (-1.45, -0.52), (-1.25, 0), (-1.45, 0.52)]
    back = [(-0.6, -0.3), (-0.35, -0.85), (0.4, -0.42)]
    belly = [(-0.35, 0.35), (-0.4, 0.78), (0.2, 0.42)]
    for part in (tail, back, belly):
        draw.polygon([(x + look * size * a, y + size * b) for a, b in part], fin)
    body = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(body).ellipse((x - size, y - size * 0.52, x + size, y + size * 0.52), 255)
    coat = gradient(mixed(skin, (255, 255, 255), 0.1), skin, mixed(skin, (255, 255, 235), 0.55))
    coat = coat.resize((WIDTH, int(size * 1.1)))
    stripes = ImageDraw.Draw(coat)
    band = (250, 246, 236) if rng.random() < 0.6 else hsv(hue + 0.5, 0.6, 0.5)
    for place in (0.45, -0.08, -0.6)[: int(rng.integers(1, 4))]:
        middle = x + look * size * place
        stripes.rectangle((middle - size * 0.1, 0, middle + size * 0.1, HEIGHT), band)
    top = round(y - size * 0.55)
    image.paste(coat, (0, top), body.crop((0, top, WIDTH, top + coat.height)))
    side = turned(leaf(size * 0.5, size * 0.3), 2.6 if look > 0 else 0.54, x + look * 20, y + 20)
    draw.polygon(side, fin)
    eye = x + look * size * 0.7
    circle(draw, eye, y - size * 0.12, size * 0.1, (255, 255, 255))
    circle(draw, eye + look * 4, y - size * 0.12, size * 0.055, (20, 20, 30))
    for i in range(7):
        bubble = rng.uniform(6, 16)
        centre = eye + look * (70 + rng.uniform(-30, 50)), y - 60 - i * 42
        box = [centre[0] - bubble, centre[1] - bubble, centre[0] + bubble, centre[1] + bubble]
        draw.ellipse(box, outline=hsv(sea, 0.12, 1.0), width=3)
    return image


def _boat(rng: np.random.Generator) -> Image.Image:
    hue, line = rng.uniform(0.52, 0.62), rng.uniform(400, 460)
    image = gradient(hsv(hue, 0.55, 0.85), hsv(hue, 0.2, 0.98), hsv(hue, 0.1, 1.0))
    _clouds(image, rng, 0.35 * line)
    draw = ImageDraw.Draw(image)
    deep = hsv(hue + rng.uniform(-0.04, 0.04), 0.8, 0.42)
    for i in range(9):
        edge = ridge(rng, line + i * 36, 2 + i * 0.9, 2.5)
        draw.polygon(edge, mixed(hsv(hue, 0.5, 0.75), deep, i / 8))
        if i == 2:
            _hull(draw, rng, rng.uniform(330, 600), line + 92)
    return image


def _hull(draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, y: float) -> None:
    scale, look = rng.uniform(0.9, 1.2), float(rng.choice([-1, 1]))
    sail, paint = hsv(rng.uniform(0, 1), rng.uniform(0, 0.75), 0.97), rng.uniform(0, 1)

    def put(points: list[Point], colour: Colour) -> None:
        draw.polygon([(x + look * scale * a, y + scale * b) for a, b in points], colour)

    put([(-6, -400), (4, -400), (4, -30), (-6, -30)], (92, 66, 44))
    put([(-14, -385), (-14, -70), (-150, -70)], sail)
    put([(12, -360), (150, -78), (12, -70)], mixed(sail, (255, 255, 255), 0.6))
    put([(-175, -45), (190, -45), (120, 30), (-135, 30)], hsv(paint, 0.75, 0.55))
    put([(-175, -45), (190, -45), (178, -30), (-165, -30)], (245, 240, 230))


def _clouds(image: Image.Image, rng: np.random.Generator, height: float) -> None:
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    for _ in range(4):
        x, y = rng.uniform(0, WIDTH), rng.uniform(0.3, 1.3) * height
        for _ in range(7):
            a, b, radius = x + rng.normal(0, 60), y + rng.normal(0, 9), rng.uniform(22, 46)
            draw.ellipse(
                (a - radius * 1.6, b - radius * 0.7, a + radius * 1.6, b + radius * 0.7), 215
            )
    image.paste((255, 255, 255), (0, 0), mask.filter(ImageFilter.BoxBlur(11)))


def _balloons(rng: np.random.Generator) -> Image.Image:
    hue = rng.uniform(0.5, 0.62)
    image = gradient(hsv(hue, 0.6, 0.8), hsv(hue, 0.25, 0.97), hsv(0.1, 0.25, 1.0))
    _clouds(image, rng, 260)
    draw = ImageDraw.Draw(image)
    for i in range(3):
        draw.polygon(ridge(rng, 610 + 36 * i, 20, 1.2), hsv(0.28, 0.45, 0.62 - 0.13 * i))
    sizes = [*sorted(rng.uniform(45, 110, int(rng.integers(2, 4)))), rng.uniform(140, 175)]
    for i, radius in enumerate(sizes):
        x, y = rng.uniform(0.12, 0.88) * WIDTH, rng.uniform(130, 330)
        if i == len(sizes) - 1:
            x, y = rng.uniform(330, 630), rng.uniform(220, 290)
        first = rng.uniform(0, 1)
        colours = hsv(first, 0.8, 0.92), hsv(first + rng.uniform(0.1, 0.5), 0.4, 1.0)
        skirt = [(x - radius * 0.9, y + radius * 0.42), (x + radius * 0.9, y + radius * 0.42)]
        draw.polygon([*skirt, (x + 16, y + radius * 1.4), (x - 16, y + radius * 1.4)], colours[0])
        for stripe in range(7):
            half = radius * float(np.cos(np.pi * stripe / 14))
            box = (x - half, y - radius, x + half, y + radius)
            draw.ellipse(box, colours[stripe % 2])
        draw.line([(x - 12, y + radius * 1.38), (x - 9, y + radius * 1.62)], (70, 50, 35), 3)
        draw.line([(x + 12, y + radius * 1.38), (x + 9, y + radius * 1.62)], (70, 50, 35), 3)
        draw.rectangle((x - 15, y + radius * 1.6, x + 15, y + radius * 1.6 + 24), (120, 82, 48))
    return image


SCENES: dict[str, Scene] = {
    "Sunset over hills": _hills,
    "Night sky": _night,
    "Flower": _flower,
    "Fruit bowl": _fruit,
    "City skyline": _city,
    "Fish": _fish,
    "Sailing boat": _boat,
    "Hot-air balloons": _balloons,
}
