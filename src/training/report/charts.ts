// Which curves a report draws: every metric that was logged, those that belong together in one picture.
import type { MetricRow } from '../loggers/json-lines.js';
import { metricName } from '../metric-names.js';
import { type Curve, lineChart } from './line-chart.js';

/** Pictures that come first, with titles of their own. */
const FIRST: readonly { readonly title: string; readonly metrics: RegExp }[] = [
  { title: 'Loss', metrics: /^(train|val)\/loss(\/|$)/ },
  { title: 'Word and character error rate', metrics: /^val\/(wer|cer)(\/|$)/ },
  { title: 'Learning rate', metrics: /^train\/learning_rate$/ },
  { title: 'Gradient norm', metrics: /^train\/grad_norm$/ },
];

/** Metrics of the machine's, which nobody looks at while all is well. */
const MACHINE = /^(data|engine|system)\/|^(train|val|test)\/(\w*seconds|\w*_per_second|epoch)$/;
/** Test metrics are numbers of one step: they stand among the facts. */
const TESTED = /^test\//;

/** Figures as HTML. */
export function charts(writtenRows: readonly MetricRow[]): {
  readonly main: string[];
  readonly machine: string[];
} {
  const rows = underCurrentNames(writtenRows);
  const names = metricsOf(rows).filter((name) => !TESTED.test(name));
  const first = FIRST.map(({ title, metrics }) =>
    figure(
      rows,
      title,
      names.filter((name) => metrics.test(name)),
    ),
  );
  const rest = names.filter((name) => !FIRST.some(({ metrics }) => metrics.test(name)));
  const modelMetrics = rest.filter((name) => !MACHINE.test(name));
  const machine = rest.filter((name) => MACHINE.test(name));
  return {
    main: [
      ...first,
      ...together(modelMetrics).map((members) => figure(rows, titleOf(members), members)),
    ].filter(isDrawn),
    machine: machine.map((name) => figure(rows, name, [name])).filter(isDrawn),
  };
}

/** Rows under the names of today, whatever a run of before called them. */
export function underCurrentNames(rows: readonly MetricRow[]): MetricRow[] {
  const names = new Map<string, string>();
  const current = (name: string) => {
    const currentName = names.get(name) ?? metricName(name);
    names.set(name, currentName);
    return currentName;
  };
  return rows.map(
    (row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [current(name), value])) as MetricRow,
  );
}

/** All names, in the order in which they were first logged. */
export function metricsOf(rows: readonly MetricRow[]): string[] {
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  names.delete('step');
  return [...names];
}

/** `train/x` and `val/x` in one picture. */
function together(names: readonly string[]): string[][] {
  const members = new Map<string, string[]>();
  for (const name of names) {
    const shared = name.replace(/^(train|val)\//, '');
    members.set(shared, [...(members.get(shared) ?? []), name]);
  }
  return [...members.values()];
}

function titleOf(names: readonly string[]): string {
  return names.length === 1 ? names[0] : names[0].replace(/^(train|val)\//, '');
}

function figure(rows: readonly MetricRow[], title: string, names: readonly string[]): string {
  return lineChart(
    title,
    names.map((name) => curve(rows, name)),
  );
}

function curve(rows: readonly MetricRow[], name: string): Curve {
  const points = rows.flatMap((row) => {
    const value = row[name];
    return typeof value === 'number' ? [[row.step, value] as const] : [];
  });
  return { name, points };
}

const isDrawn = (figure: string): boolean => figure !== '';
