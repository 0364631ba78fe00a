/**
 * A hint of each material on its swatch: the canvas colour, and a few strokes of what it becomes.
 * Names that aren't known here get the plain colour, so that any model's palette works.
 */

import type { RGB } from './protocol';

type Painter = (context: CanvasRenderingContext2D, size: number) => void;

function tinted([r, g, b]: RGB, by: number): string {
  const to = by > 0 ? 255 : 0;
  const mix = (c: number): number => Math.round(c + (to - c) * Math.abs(by));
  return `rgb(${mix(r)} ${mix(g)} ${mix(b)})`;
}

/** Evenly scattered places in the unit square (the R2 sequence). */
function scattered(i: number): [number, number] {
  return [(0.5 + i * 0.7548776662) % 1, (0.5 + i * 0.5698402910) % 1];
}

function waves(context: CanvasRenderingContext2D, s: number): void {
  for (let row = 0; row < 4; row++) {
    context.beginPath();
    for (let x = -4; x <= s + 4; x += 2) {
      const y = s * (0.2 + 0.2 * row) + Math.sin(x / 5 + row * 2) * 2.4;
      context.lineTo(x, y);
    }
    context.stroke();
  }
}

function peaks(context: CanvasRenderingContext2D, s: number): void {
  context.beginPath();
  context.moveTo(0, s);
  for (const [x, y] of [[0.3, 0.34], [0.48, 0.62], [0.68, 0.24], [1, 0.8], [1, 1]] as const) {
    context.lineTo(x * s, y * s);
  }
  context.fill();
}

function conifers(context: CanvasRenderingContext2D, s: number): void {
  for (const [x, y, r] of [[0.3, 0.2, 0.2], [0.66, 0.34, 0.18], [0.48, 0.56, 0.2]] as const) {
    context.beginPath();
    context.moveTo(x * s, y * s);
    context.lineTo((x + r) * s, (y + 2 * r) * s);
    context.lineTo((x - r) * s, (y + 2 * r) * s);
    context.fill();
  }
}

function specks(count: number, radius: number): Painter {
  return (context, s) => {
    for (let i = 0; i < count; i++) {
      const [x, y] = scattered(i);
      context.beginPath();
      context.arc(x * s, y * s, radius, 0, 7);
      context.fill();
    }
  };
}

function blades(context: CanvasRenderingContext2D, s: number): void {
  for (let i = 0; i < 16; i++) {
    const [x, y] = scattered(i).map((part) => part * s) as [number, number];
    context.beginPath();
    context.moveTo(x, y + 4);
    context.lineTo(x + (i % 3) - 1, y - 4);
    context.stroke();
  }
}

function puffs(context: CanvasRenderingContext2D, s: number): void {
  for (const [x, y, r] of [[0.34, 0.58, 0.18], [0.52, 0.46, 0.22], [0.7, 0.6, 0.16]] as const) {
    context.beginPath();
    context.arc(x * s, y * s, r * s, 0, 7);
    context.fill();
  }
}

function glow(context: CanvasRenderingContext2D, s: number): void {
  context.beginPath();
  context.arc(s / 2, s / 2, s * 0.24, 0, 7);
  context.fill();
}

function roof(context: CanvasRenderingContext2D, s: number): void {
  context.beginPath();
  for (const [x, y] of [[0.2, 0.52], [0.5, 0.24], [0.8, 0.52], [0.72, 0.52], [0.72, 0.78], [0.28, 0.78], [0.28, 0.52]] as const) {
    context.lineTo(x * s, y * s);
  }
  context.fill();
}

function track(context: CanvasRenderingContext2D, s: number): void {
  context.lineWidth = 7;
  context.beginPath();
  context.moveTo(s * 0.2, s);
  context.bezierCurveTo(s * 0.3, s * 0.55, s * 0.85, s * 0.6, s * 0.6, 0);
  context.stroke();
}

function air(context: CanvasRenderingContext2D, s: number): void {
  const gradient = context.createLinearGradient(0, s, 0, 0);
  gradient.addColorStop(0, 'rgb(255 255 255 / 50%)');
  gradient.addColorStop(0.7, 'rgb(255 255 255 / 0%)');
  context.fillStyle = gradient;
  context.fillRect(0, 0, s, s);
}

/** Painter, and how much lighter (or darker) than the material its strokes are. */
const HINTS: Record<string, readonly [Painter, number]> = {
  sky: [air, 0],
  cloud: [puffs, 0.75],
  sun: [glow, 0.62],
  mountain: [peaks, -0.28],
  water: [waves, 0.36],
  meadow: [blades, 0.34],
  tree: [conifers, 0.24],
  sand: [specks(18, 1), -0.26],
  snow: [specks(13, 1.700), 0.85],
  house: [roof, 0.5],
  path: [track, 0.28],
  flower: [specks(9, 2.600), 0.62],
};

/** The swatch of a material, `size` CSS pixels wide. */
export function swatch(name: string, color: RGB, size: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size * 2;
  const context = canvas.getContext('2d')!;
  context.scale(2, 2);
  context.fillStyle = tinted(color, 0);
  context.fillRect(0, 0, size, size);
  const hint = HINTS[name];
  if (hint === undefined) return canvas;
  context.fillStyle = context.strokeStyle = tinted(color, hint[1]);
  context.lineWidth = 1.5;
  hint[0](context, size);
  return canvas;
}
