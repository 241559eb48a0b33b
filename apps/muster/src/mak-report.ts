import type { CollectedInstallation } from './mak-collection.ts';
import { type ConfirmationsFile, confirmationsFileOf } from './mak-confirmations.ts';
import type { Submitted } from './mak-submit.ts';
import { print, printJson, say } from './output.ts';
import { table } from './table.ts';

/** Most rows of refusals that are shown to a person; `--json` has all. */
const mostRows = 100;

/** An installation that was refused, and why. */
interface RefusedInstallation {
  readonly installation: CollectedInstallation;
  readonly code: string;
  readonly message: string;
}

/** Prints what a run of `muster mak submit` has come to. */
export function reportSubmitted(
  path: string,
  installations: readonly CollectedInstallation[],
  file: ConfirmationsFile,
  submitted: Submitted,
  json: boolean,
): void {
  const refusals = refusedOf(installations, file);
  const output = confirmationsFileOf(path);
  if (json) {
    const refused = refusals.map(({ installation, code, message }) => ({ ...installation, code, message }));
    printJson({ file: output, ...submitted, remaining: submitted.remaining ?? null, refused });
    return;
  }
  const { before, confirmed, left, remaining } = submitted;
  const earlier = before === 0 ? '' : `, and ${before} before`;
  print(`${confirmed} installations are confirmed now${earlier}. The confirmations are in ${output}.`);
  if (remaining !== undefined) print(`The MAK has ${remaining} activations left.`);
  if (refusals.length > 0) {
    print(`\n${refusals.length} are refused:`);
    const rows = refusals
      .slice(0, mostRows)
      .map(({ installation, code, message }) => [
        installation.machineName ?? installation.installationId.slice(0, 16),
        installation.edition,
        code,
        message,
      ]);
    print(table(['machine', 'edition', 'code', 'why'], rows));
    if (refusals.length > mostRows) say(`${refusals.length - mostRows} more are shown by --json.`);
  }
  if (left > 0) say(`Interrupted: ${left} were not asked for. Run the same command again to go on.`);
}

/** Says, beside an error, what a run that has failed has brought. */
export function sayWhatIsKept(installations: readonly CollectedInstallation[], file: ConfirmationsFile): void {
  const confirmed = installations.filter(({ installationId }) => {
    const answer = file.answers.get(installationId);
    return answer !== undefined && 'confirmation' in answer;
  });
  if (confirmed.length === 0) return;
  say(`${confirmed.length} of ${installations.length} confirmations are kept; the same command goes on from there.`);
}

function refusedOf(
  installations: readonly CollectedInstallation[],
  file: ConfirmationsFile,
): readonly RefusedInstallation[] {
  return installations.flatMap((installation) => {
    const answer = file.answers.get(installation.installationId);
    return answer === undefined || 'confirmation' in answer
      ? []
      : [{ installation, code: answer.code, message: answer.message }];
  });
}
