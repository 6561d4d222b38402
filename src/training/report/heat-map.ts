// A grid of values as a picture (PNG inside SVG, so that axes and a path stay sharp).
import { encodePng } from '../../formats/index.js';
import type { HeatMap } from '../../model/index.js';
import { colourOf } from './colour-map.js';
import { coordinate, escapeHtml, shortNumber } from './markup.js';
import { linearTicks } from './scale.js';

const WIDTH = 1140;
const LEFT = 90;
const BOTTOM = 42;
const TOP = 8;
/** Rows with names get room for them. */
const NAMED_ROW = 18;
const MOST_NAMES = 40;

export function heatMap(map: HeatMap): string {
  const hasNames = map.rowNames !== undefined && map.rowNames.length <= MOST_NAMES;
  const height = hasNames ? Math.max(120, map.rows * NAMED_ROW) : Math.min(Math.max(map.rows * 3, 160), 320);
  const width = WIDTH - LEFT - 10;
  const x = (column: number) => LEFT + ((column + 0.5) / map.columns) * width;
  const y = (row: number) => TOP + height - ((row + 0.5) / map.rows) * height;
  const path = (map.path ?? [])
    .map(([column, row]) => `${coordinate(x(column))},${coordinate(y(row))}`)
    .join(' ');
  const total = TOP + height + BOTTOM;
  return `<figure class="wide"><figcaption><b>${escapeHtml(map.title)}</b></figcaption>
<svg viewBox="0 0 ${WIDTH} ${total}" role="img" aria-label="${escapeHtml(map.title)}">
<image x="${LEFT}" y="${TOP}" width="${width}" height="${height}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${picture(map)}"/>
${path === '' ? '' : `<polyline class="path" points="${path}"/>`}
${rowLabels(map, hasNames, y)}
${linearTicks(0, map.columns - 1, 8, 1)
  .map(
    (tick) =>
      `<text x="${coordinate(x(tick))}" y="${TOP + height + 16}" text-anchor="middle">${shortNumber(tick)}</text>`,
  )
  .join('')}
<text x="${LEFT + width / 2}" y="${total - 6}" text-anchor="middle">${escapeHtml(map.xLabel)}</text>
<text transform="translate(12 ${TOP + height / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(map.yLabel)}</text>
</svg><p>${escapeHtml(map.caption)}</p></figure>`;
}

function rowLabels(map: HeatMap, hasNames: boolean, y: (row: number) => number): string {
  const rows = hasNames ? (map.rowNames?.map((_, row) => row) ?? []) : linearTicks(0, map.rows - 1, 4, 1);
  return rows
    .map((row) => {
      const name = hasNames ? (map.rowNames?.[row] ?? '') : shortNumber(row);
      return `<text x="${LEFT - 6}" y="${coordinate(y(row))}" dy="4" text-anchor="end">${escapeHtml(name)}</text>`;
    })
    .join('');
}

/** The grid as a data URI, one pixel a cell. */
function picture({ rows, columns, values }: HeatMap): string {
  const [low, high] = colourRange(values);
  const span = high > low ? high - low : 1;
  const pixels = new Uint8Array(rows * columns * 4);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column];
      if (!Number.isFinite(value)) continue;
      // The rows of a picture are stored from the top, those of a grid from the bottom.
      const at = 4 * ((rows - 1 - row) * columns + column);
      pixels.set([...colourOf((value - low) / span), 255], at);
    }
  }
  const png = encodePng({ width: columns, height: rows, pixels });
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}

/** Share of the values at either end that may leave the colour scale, so that a few do not darken the rest. */
const OUTLIERS = 0.005;

function colourRange(values: Float32Array): readonly [number, number] {
  const sortedValues = values.filter(Number.isFinite).sort();
  const at = (share: number) => sortedValues[Math.round(share * (sortedValues.length - 1))] ?? 0;
  return at(1 - OUTLIERS) > at(OUTLIERS) ? [at(OUTLIERS), at(1 - OUTLIERS)] : [at(0), at(1)];
}
