/** A small line chart as SVG: as much as the growth curves need, so that no package has to be trusted for it. */

export interface Line {
  readonly name: string;
  /** Pairs of x and y; x above 0. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
}

const SIZE = { width: 640, height: 360 };
const EDGE = { left: 64, right: 16, top: 40, bottom: 80 };
const COLOURS = ['#1b6ca8', '#c8553d', '#3b8c4a', '#7d4e9e', '#b0882f', '#4a4a4a'];
const TICKS = 5;

/** x is logarithmic, y begins at 0. */
export function chart({ title, x, y, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const [low, high] = [Math.min(...points.map(([at]) => at)), Math.max(...points.map(([at]) => at))];
  const top = niceCeiling(Math.max(...points.map(([, value]) => value)));
  const inner = { width: SIZE.width - EDGE.left - EDGE.right, height: SIZE.height - EDGE.top - EDGE.bottom };
  const atX = (value: number): number =>
    EDGE.left + (high === low ? 0.5 : (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))) * inner.width;
  const atY = (value: number): number => EDGE.top + (1 - value / top) * inner.height;
  const bottom = EDGE.top + inner.height;
  const grid = Array.from({ length: TICKS + 1 }, (_, index) => (top * index) / TICKS).map(
    (value) =>
      `<path d="M${EDGE.left} ${n(atY(value))}H${n(EDGE.left + inner.width)}" stroke="#ddd"/>` +
      text(EDGE.left - 6, atY(value) + 4, label(value), 'end'),
  );
  const marks = [...new Set(points.map(([at]) => at))].map((at) => text(atX(at), bottom + 16, label(at), 'middle'));
  const drawn = lines.map((line, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const path = line.points.map(([at, value], point) => `${point === 0 ? 'M' : 'L'}${n(atX(at))} ${n(atY(value))}`).join('');
    const dots = line.points.map(([at, value]) => `<circle cx="${n(atX(at))}" cy="${n(atY(value))}" r="3" fill="${colour}"/>`).join('');
    const place = EDGE.left + (index % 3) * (inner.width / 3);
    const row = bottom + 52 + Math.floor(index / 3) * 16;
    const legend = `<path d="M${n(place)} ${row - 4}h18" stroke="${colour}" stroke-width="2"/>${text(place + 24, row, line.name, 'start')}`;
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}${legend}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${SIZE.width}" height="${SIZE.height}" fill="#fff"/>`,
    `<text x="${EDGE.left}" y="20" font-size="14">${escape(title)}</text>`,
    text(EDGE.left, 34, y, 'start'),
    text(EDGE.left + inner.width, bottom + 32, x, 'end'),
    ...grid,
    ...marks,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

/** The next number that people read easily: 1, 2, 2.5 or 5 times a power of ten. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function label(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))}M`;
  return value >= 1_000 ? `${Number((value / 1_000).toPrecision(3))}k` : String(Number(value.toPrecision(3)));
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}">${escape(words)}</text>`;
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
