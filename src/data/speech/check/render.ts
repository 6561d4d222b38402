// A check report for the eye and as JSON.
import { formatPosition, printable } from '../../../errors/index.js';
import { formatHours } from '../manifest/index.js';
import { type CheckReport, showCharacter } from './check-manifest.js';
import { FINDING_KINDS, type Finding, type FindingKind, isFatal } from './finding.js';
import { type Histogram, renderHistogram } from './histogram.js';

/**
 * The report as text for a terminal.
 * @param limit findings shown of each kind
 */
export function renderReport(report: CheckReport, limit = 5): string {
  const speakers = report.speakers > 0 ? `, ${report.speakers} speakers` : '';
  const lines = [
    `${report.utterances} utterances, ${formatHours(report.seconds)}, ${report.files} recordings${speakers}`,
    `formats       ${renderTally(report.formats)}`,
    `sample rates  ${renderTally(report.sampleRates)}`,
    `channels      ${renderTally(report.channels)}`,
  ];
  if (report.durations) lines.push('', `durations: ${summary(report.durations, 's', 2)}`);
  if (report.durations) lines.push(...renderHistogram(report.durations, 's'));
  if (report.textLengths) {
    lines.push('', `transcripts, ${report.textUnit}: ${summary(report.textLengths, '', 0)}`);
    lines.push(...renderHistogram(report.textLengths, ''));
  }
  if (report.unknownCharacters.size > 0) {
    const shownCharacters = [...report.unknownCharacters].sort((a, b) => b[1] - a[1]).slice(0, 40);
    const list = shownCharacters
      .map(([character, count]) => `${showCharacter(character)} ×${count}`)
      .join(', ');
    lines.push('', `unknown to the tokenizer: ${list}`);
  }
  lines.push(...renderFindings(report.findings, limit));
  lines.push('', verdict(report));
  return lines.join('\n');
}

/** Everything as plain data; maps become objects. */
export function reportToJson(report: CheckReport): Record<string, unknown> {
  return {
    ...report,
    sampleRates: Object.fromEntries(report.sampleRates),
    channels: Object.fromEntries(report.channels),
    formats: Object.fromEntries(report.formats),
    unknownCharacters: Object.fromEntries(report.unknownCharacters),
    findings: report.findings.map((f) => ({ ...f, fatal: isFatal(f.kind) })),
  };
}

function renderFindings(findings: readonly Finding[], limit: number): string[] {
  const lines: string[] = [];
  for (const kind of Object.keys(FINDING_KINDS) as FindingKind[]) {
    const kindFindings = findings.filter((finding) => finding.kind === kind);
    if (kindFindings.length === 0) continue;
    const { means, fatal } = FINDING_KINDS[kind];
    lines.push('', `${fatal ? 'ERROR' : 'warning'}: ${kindFindings.length} ${means} (${kind})`);
    for (const { position, message } of kindFindings.slice(0, limit)) {
      lines.push(printable(`  ${formatPosition(position)}: ${message}`));
    }
    if (kindFindings.length > limit) lines.push(`  … and ${kindFindings.length - limit} more`);
  }
  return lines;
}

function verdict(report: CheckReport): string {
  const fatal = report.findings.filter((finding) => isFatal(finding.kind)).length;
  const warnings = report.findings.length - fatal;
  if (fatal === 0) return warnings === 0 ? 'nothing to complain about' : `fit for use, ${warnings} warnings`;
  return `${fatal} errors, ${warnings} warnings`;
}

function renderTally(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} (${count})`).join(', ') || 'none';
}

function summary(h: Histogram, unit: string, digits: number): string {
  const show = (x: number) => `${x.toFixed(digits)}${unit && ` ${unit}`}`;
  return [
    `shortest ${show(h.minimum)}`,
    `median ${show(h.median)}`,
    `mean ${show(h.mean)}`,
    `95% ${show(h.percentile95)}`,
    `longest ${show(h.maximum)}`,
  ].join(', ');
}
