import { MusterError } from '@muster/product-groups';
import { MistypedMakError } from './mak-input.ts';
import { exitCodes, sayError } from './output.ts';

const wrongInput = new Set(['INPUT_INVALID', 'DOCUMENT_INVALID', 'SETTING_INVALID', 'TLS_INVALID']);

/** Runs a command. Returns its exit code; other errors than those of wrong input go on to the caller. */
export async function withMakExitCode(run: () => Promise<number> | number): Promise<number> {
  try {
    return await run();
  } catch (error) {
    const isUsage = error instanceof MistypedMakError || (error instanceof MusterError && wrongInput.has(error.code));
    if (!isUsage) throw error;
    sayError(error);
    return exitCodes.usage;
  }
}

/** @throws MusterError `INPUT_INVALID` when something stands on the command line that may be a key. */
export function refuseKeyArgument(isGiven: boolean): void {
  if (!isGiven) return;
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: 'A product key is not given on the command line, where other users of this machine see it.',
    remedy: 'Type it when it is asked for, or give it by standard input or by --key-file FILE.',
  });
}
