// The report of a run as one HTML file that needs nothing else: curves, pictures, decoded samples.
import type { EvaluatedSample, HeatMap } from '../../model/index.js';
import type { MetricRow } from '../loggers/json-lines.js';
import { charts, metricsOf, underCurrentNames } from './charts.js';
import { heatMap } from './heat-map.js';
import { escapeHtml, shortNumber } from './markup.js';
import { sampleTable } from './sample-table.js';

/** What a report shows. */
export interface ReportData {
  readonly title: string;
  /** Facts under the title, such as the model, step and machine. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly rows: readonly MetricRow[];
  readonly samples: readonly EvaluatedSample[];
  readonly pictures: readonly HeatMap[];
}

/** The whole report as HTML, with styles and pictures inside. */
export function reportPage(data: ReportData): string {
  const { main, machine } = charts(data.rows);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(data.title)}</title><style>${STYLE}</style></head>
<body><main>
<h1>${escapeHtml(data.title)}</h1>
<dl>${data.facts.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>
<h2>Curves</h2>
<div class="charts">${main.join('\n')}</div>
${machine.length === 0 ? '' : `<details><summary>Data, engine, machine</summary><div class="charts">${machine.join('\n')}</div></details>`}
${data.pictures.length === 0 ? '' : `<h2>Pictures</h2>\n${data.pictures.map(heatMap).join('\n')}`}
${sampleTable(data.samples)}
</main></body></html>
`;
}

/** Latest value of the metrics people look for first. */
export function summaryFacts(writtenRows: readonly MetricRow[]): [string, string][] {
  const rows = underCurrentNames(writtenRows);
  const tested = metricsOf(rows).filter((name) => /^test\/(?!seconds)/.test(name));
  return ['train/loss', 'val/loss', 'val/wer', 'val/cer', ...tested].flatMap((metric) => {
    const last = rows.findLast((row) => typeof row[metric] === 'number');
    return last ? [[metric, shortNumber(last[metric] as number)] as [string, string]] : [];
  });
}

const STYLE = `
:root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1c1d20;--quiet:#6a6d75;--rule:#e3e4e8;--c0:#2563a8;--c1:#c2571a;--c2:#3b7d3c;--c3:#8a4a9e;--c4:#7a6a1f;--c5:#a83a5c;--bad:#b3261e;--new:#7a5b00;--badback:#fbe9e7;--newback:#fdf3d3}
@media(prefers-color-scheme:dark){:root{--paper:#17181b;--card:#1f2125;--ink:#e9eaee;--quiet:#9a9ea8;--rule:#33363d;--c0:#7db2ee;--c1:#f0a06c;--c2:#8fcf8f;--c3:#cf9fe0;--c4:#d6c66f;--c5:#f095b0;--bad:#ffb4ab;--new:#f2d27a;--badback:#4a1f1b;--newback:#423612}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;margin:0 0 12px}h2{font-size:18px;margin:36px 0 12px}
dl{display:flex;flex-wrap:wrap;gap:8px 28px;margin:0}dt{color:var(--quiet);font-size:12px}dd{margin:0;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px}
figure{margin:0 0 16px;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:14px 16px}
.charts figure{margin:0}figcaption{display:flex;gap:16px;align-items:baseline;margin-bottom:6px}figcaption span{color:var(--quiet);font-size:13px}
figure p,.note,.name{color:var(--quiet);font-size:13px;margin:6px 0 0}
svg{width:100%;height:auto;display:block}svg text{fill:var(--quiet);font-size:12px;font-variant-numeric:tabular-nums}
.grid{stroke:var(--rule)}.line{fill:none;stroke-width:2;stroke-linejoin:round}.dot{stroke:none}.faint{opacity:0}.faint:hover{opacity:1}
${[0, 1, 2, 3, 4, 5].map((i) => `.line.c${i}{stroke:var(--c${i})}.dot.c${i}{fill:var(--c${i})}.swatch.c${i}{background:var(--c${i})}`).join('')}
summary{cursor:pointer;margin:16px 0 12px;color:var(--quiet)}
.swatch{display:inline-block;width:12px;height:3px;margin-right:5px;vertical-align:middle}
.path{fill:none;stroke:#fff;stroke-width:2.5;stroke-linejoin:round;paint-order:stroke}
.pair{margin:0 0 14px}.scroll{overflow-x:auto}table{border-collapse:collapse}th{text-align:left;font-weight:400;color:var(--quiet);font-size:12px;padding-right:14px;position:sticky;left:0;background:var(--paper)}
td{padding:1px 6px;white-space:nowrap}.substitution,.deletion,del{color:var(--bad);background:var(--badback)}.insertion,ins{color:var(--new);background:var(--newback)}del,ins{text-decoration:none;padding:0 4px}
`;
