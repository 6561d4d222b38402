// A line chart as SVG: a few curves over the steps of a run. No scripts; points tell their value on hover.
import { coordinate, escapeHtml, shortNumber } from './markup.js';
import { linearScale, type Scale } from './scale.js';

export interface Curve {
  readonly name: string;
  /** (step, value), by step; values that are not finite leave a gap. */
  readonly points: readonly (readonly [step: number, value: number])[];
}

const WIDTH = 560;
const HEIGHT = 260;
const LEFT = 58;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 40;
/** Colours of the page's style, in turn. */
const COLOURS = 6;
/** More points than pixels only cost bytes. */
const MOST_POINTS = 600;

/** A figure with title, axes, curves and legend; '' when there is nothing to draw. */
export function lineChart(title: string, curves: readonly Curve[]): string {
  const drawn = curves
    .map(({ name, points }) => ({ name, points: thin(points.filter(([, value]) => Number.isFinite(value))) }))
    .filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return '';
  const all = drawn.flatMap(({ points }) => points);
  const x = linearScale(
    all.map(([step]) => step),
    [LEFT, WIDTH - RIGHT],
    { counts: true },
  );
  const y = linearScale(
    all.map(([, value]) => value),
    [HEIGHT - BOTTOM, TOP],
    { nice: true, zero: true },
  );
  const legend = drawn.map(
    ({ name }, i) => `<span><i class="swatch c${i % COLOURS}"></i>${escapeHtml(name)}</span>`,
  );
  return `<figure><figcaption><b>${escapeHtml(title)}</b>${legend.join('')}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">
${axes(x, y)}
${drawn.map(({ name, points }, i) => curve(name, points, x, y, i % COLOURS)).join('\n')}
</svg></figure>`;
}

function axes(x: Scale, y: Scale): string {
  const rows = y.ticks.map((tick) => {
    const at = coordinate(y.at(tick));
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text x="${LEFT - 6}" y="${at}" dy="4" text-anchor="end">${shortNumber(tick)}</text>`;
  });
  const columns = x.ticks.map(
    (tick) =>
      `<text x="${coordinate(x.at(tick))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${shortNumber(tick)}</text>`,
  );
  const label = `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">step</text>`;
  return [...rows, ...columns, label].join('');
}

function curve(name: string, points: Curve['points'], x: Scale, y: Scale, index: number): string {
  const place = ([step, value]: readonly [number, number]) =>
    `${coordinate(x.at(step))},${coordinate(y.at(value))}`;
  const line = `<polyline class="line c${index}" points="${points.map(place).join(' ')}"/>`;
  const dots = points.map((point) => {
    const [cx, cy] = place(point).split(',');
    const dotClass = points.length <= 40 ? 'dot' : 'dot faint';
    return `<circle class="${dotClass} c${index}" cx="${cx}" cy="${cy}" r="3"><title>${escapeHtml(name)} at step ${point[0]}: ${shortNumber(point[1])}</title></circle>`;
  });
  return line + dots.join('');
}

function thin(points: Curve['points']): Curve['points'] {
  const stride = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, i) => i % stride === 0 || i === points.length - 1);
}
