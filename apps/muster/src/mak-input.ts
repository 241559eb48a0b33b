import { MusterError } from '@muster/product-groups';
import { parseProductKey } from '@muster/trust';
import { readProductKey } from './key-input.ts';

/** What was typed is no MAK: nobody was asked. */
export class MistypedMakError extends MusterError {}

/**
 * Reads a MAK from a file, from standard input (`-`, or a pipe when nothing is named), or from a person, who does not see
 * it while it is typed. Never from the command line, which others see in a list of processes.
 *
 * @returns its 25 characters without hyphens.
 * @throws MistypedMakError `MAK_INVALID` that says where the typing error probably is; MusterError `INPUT_INVALID` when
 * there is none.
 */
export async function readMak(file: string | undefined): Promise<string> {
  const key = parseProductKey(await readMistyped(file));
  if (key.kind === 'MAK') return key.text.replaceAll('-', '');
  throw new MistypedMakError({
    code: 'MAK_INVALID',
    message: 'This is a KMS key, which activates hosts and no single machines.',
    remedy: 'Give the MAK, which begins with M.',
  });
}

async function readMistyped(file: string | undefined): Promise<string> {
  try {
    return await readProductKey(file);
  } catch (error) {
    if (!(error instanceof MusterError) || error.code !== 'KEY_INVALID') throw error;
    throw new MistypedMakError({ code: 'MAK_INVALID', message: error.message, remedy: error.remedy });
  }
}
