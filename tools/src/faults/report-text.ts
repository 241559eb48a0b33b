import type { CampaignReport, KindSummary } from './campaign.ts';
import type { CheckReport } from './check/checker.ts';
import type { OutageReport } from './nats-outage.ts';
import type { RollingRestartReport } from './rolling-restart.ts';

/** A campaign's report for people. */
export function campaignText(report: CampaignReport): string {
  const title = `${report.rounds} rounds with the seed ${report.seed} (${report.repeated} made again)`;
  return asText(title, report, [
    ...table(report.kinds),
    '',
    `Disk full by ${report.diskFullBy}; NATS was restarted by its liveness probe ${report.natsLivenessKills} times.`,
    `Share of the work: ${pairs(report.balance, (share) => `${(100 * share).toFixed(0)} %`)}.`,
    `Ends that nobody asked for: ${pairs(report.crashes, String) || 'none'}.`,
  ]);
}

/** The report of a long outage of NATS for people. */
export function outageText(report: OutageReport): string {
  const { before, during, caughtUpAfterMs, grownMebibytes } = report;
  return asText(`${report.seconds} s without NATS with the seed ${report.seed}`, report, [
    `Before: ${before.answered} of ${before.attempts} attempts answered, p50 ${before.p50Ms} ms, p99 ${before.p99Ms} ms.`,
    `During: ${during.answered} of ${during.attempts} attempts answered, p50 ${during.p50Ms} ms, p99 ${during.p99Ms} ms.`,
    `Every event had arrived ${caughtUpAfterMs} ms after the start of NATS.`,
    `Resident memory grew at most by: ${pairs(grownMebibytes, (mebibytes) => `${mebibytes} MiB`)}.`,
  ]);
}

/** The report of a rolling restart for people. */
export function rollingRestartText(report: RollingRestartReport): string {
  return asText(`A rolling restart with the seed ${report.seed}`, report, [
    `${report.attempts} requests: ${pairs(report.outcomes, String)}.`,
  ]);
}

/** What every report ends with: the check, its violations with their evidence, the problems, and one sentence. */
function asText(
  title: string,
  { check, problems }: { readonly check: CheckReport | undefined; readonly problems: readonly string[] },
  lines: readonly string[],
): string {
  const end = problems.length === 0 ? 'all promises were kept.' : `${problems.length} problems.`;
  const parts = [
    '',
    ...lines,
    ...(check === undefined ? [] : checkLines(check)),
    '',
    ...problems.map((problem) => `PROBLEM: ${problem}`),
    `${title}: ${end}`,
    '',
  ];
  return parts.join('\n');
}

function checkLines(check: CheckReport): string[] {
  return [
    `${check.answers} signed answers (${check.granted} grants) are in the log exactly once, of ${check.rows} rows; ` +
      `${check.committedWithoutAnswer} were committed and their clients were told nothing.`,
    `${check.messages} messages in the stream, ${check.repeated} of them repeated; ${check.missing} rows missing.`,
    ...check.kept
      .slice(0, 10)
      .flatMap(({ rule, message, evidence }) => [
        '',
        `VIOLATION ${rule}: ${message}`,
        JSON.stringify(evidence, undefined, 2),
      ]),
  ];
}

function table(kinds: readonly KindSummary[]): string[] {
  const heads = ['FAULT (ALONE)', 'ROUNDS', 'ATTEMPTS', 'ANSWERED', 'P99', 'RECOVERY P50', 'RECOVERY MAX'];
  const rows = kinds.map((each) => [
    each.kind,
    String(each.rounds),
    String(each.attempts),
    `${(100 * each.answeredShare).toFixed(1)} %`,
    `${each.p99Ms} ms`,
    `${each.recoveryP50Ms} ms`,
    `${each.recoveryMaxMs} ms`,
  ]);
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const padded = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return [heads, ...rows].map((cells) => cells.map(padded).join('  '));
}

function pairs(values: Readonly<Record<string, number>>, show: (value: number) => string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(', ');
}
