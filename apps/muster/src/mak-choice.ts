import { MusterError } from '@muster/product-groups';
import { installationId } from '@muster/trust';
import { installationsFormat, readWhole } from './mak-collection.ts';
import { type AnsweredInstallation, answersIn, confirmationsFileOf } from './mak-confirmations.ts';
import { formatOf } from './mak-lines.ts';

/** An installation that is confirmed. */
export type ConfirmedAnswer = Extract<AnsweredInstallation, { readonly confirmation: string }>;

/**
 * The confirmations of a file that are for a machine, at least one. A collection stands for the file beside it.
 *
 * @param fingerprint of the hardware of the machine.
 * @param wanted the only installation id that is wanted; all that are for the machine when it is left out.
 * @throws MusterError `HARDWARE_CHANGED` when the file answers no installation of this hardware, `CONFIRMATION_INVALID`
 * when it answers one by a refusal, `INPUT_INVALID`, `DOCUMENT_INVALID`.
 */
export function chooseConfirmations(
  file: string,
  fingerprint: Uint8Array,
  wanted: string | undefined,
): readonly ConfirmedAnswer[] {
  const present = readWhole(file);
  const isCollection = formatOf(present) === installationsFormat.name;
  const source = isCollection ? confirmationsFileOf(file) : file;
  const answers = [...answersIn(isCollection ? readWhole(source) : present, source).values()];
  const chosen = answers.filter((each) =>
    wanted === undefined ? isOf(each, fingerprint) : each.installationId === wanted,
  );
  if (chosen.length === 0) throw nothingFor(source, wanted);
  const confirmed = chosen.filter((each): each is ConfirmedAnswer => 'confirmation' in each);
  if (confirmed.length > 0) return confirmed;
  const [refused] = chosen;
  throw new MusterError({
    code: 'CONFIRMATION_INVALID',
    message: `The vendor has refused this installation: ${refused !== undefined && 'code' in refused ? `${refused.code}: ${refused.message}` : ''}`,
    remedy: 'Submit it again with a MAK of its product group that has activations left.',
  });
}

function isOf({ installationId: id, application, edition }: AnsweredInstallation, fingerprint: Uint8Array): boolean {
  return Buffer.from(installationId(fingerprint, application, edition)).toString('hex') === id;
}

function nothingFor(file: string, wanted: string | undefined): MusterError {
  if (wanted !== undefined) {
    return new MusterError({
      code: 'INPUT_INVALID',
      message: `${file} answers no installation ${wanted}.`,
      remedy: 'Leave the installation id out, or copy it from the collection.',
    });
  }
  return new MusterError({
    code: 'HARDWARE_CHANGED',
    message: `${file} answers no installation of this hardware.`,
    remedy: 'Collect the installation id of this machine as it is now, and submit it.',
  });
}
