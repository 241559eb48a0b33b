import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { MusterError } from '@muster/product-groups';
import { readProductKey, readText } from './key-input.ts';
import { administerHost, type KeyHostOptions } from './key-link.ts';
import { describeActive, describeKeys, keyDocument } from './key-report.ts';
import { exitCodes, print, printJson, sayError } from './output.ts';

/** What every key command is given. */
export interface KeyOptions extends KeyHostOptions {
  readonly json: boolean;
}

/** The options of `muster key install`, parsed. */
export interface InstallOptions extends KeyOptions {
  readonly keyFile?: string | undefined;
  /** Whether something stands on the command line that may be a key. */
  readonly isKeyGiven: boolean;
}

/** `muster key install`. Returns the exit code, as all of these. */
export function installKey(options: InstallOptions): Promise<number> {
  return withExitCode(async () => {
    if (options.isKeyGiven) {
      throw new MusterError({
        code: 'INPUT_INVALID',
        message: 'A product key is not given on the command line, where other users of this machine see it.',
        remedy: 'Type it when it is asked for, or give it by standard input or by --key-file FILE.',
      });
    }
    const productKey = await readProductKey(options.keyFile);
    const key = await administerHost(options, (host) => host.installKey({ productKey }));
    if (options.json) printJson(keyDocument(key));
    else if (key.expiresInDays !== undefined)
      print(`The key ${key.lastFive} was installed before. ${describeActive(key)}`);
    else print(`The key ${key.lastFive} is installed. Activate it next: muster key activate ${key.lastFive}`);
  });
}

/** `muster key activate`, online. */
export function activateKey(name: string, options: KeyOptions & { readonly again: boolean }): Promise<number> {
  return withExitCode(async () => {
    const { again } = options;
    const answer = await administerHost(options, (host) => host.activateKey({ key: name, again }));
    const { key, activationsUsed: used, activationLimit: limit } = answer;
    if (key === undefined) throw new Error('the host told no key');
    if (options.json) {
      printJson({ ...keyDocument(key), activations: limit === 0 ? null : { used, limit } });
      return;
    }
    print(describeActive(key));
    if (limit === 0) print('It was active already, so the vendor was not asked; --again uses one more activation.');
    else print(`This host has used ${used} of ${limit} activations of the key.`);
  });
}

/** `muster key activate --offline`. */
export function requestActivation(
  name: string,
  options: KeyOptions & { readonly again: boolean; readonly output?: string | undefined },
): Promise<number> {
  return withExitCode(async () => {
    const renew = options.again;
    const { request, key } = await administerHost(options, (host) => host.requestActivation({ key: name, renew }));
    if (key === undefined) throw new Error('the host told no key');
    if (options.output === '-' && !options.json) {
      process.stdout.write(request);
      return;
    }
    const file = resolve(options.output ?? `activation-request-${key.lastFive}.txt`);
    if (options.output === '-') {
      printJson({ ...keyDocument(key), request });
      return;
    }
    writeSecretFile(file, request);
    if (options.json) {
      printJson({ ...keyDocument(key), file });
      return;
    }
    print(`${file} holds the request for the key ${key.lastFive}; until it is confirmed, it stays the same.`);
    print('Carry it to the vendor, and keep it from others: the product key is in it.');
    print('Apply the answer by: muster key confirm FILE');
  });
}

/** `muster key confirm`. */
export function confirmActivation(
  file: string,
  options: KeyOptions & { readonly key?: string | undefined },
): Promise<number> {
  return withExitCode(async () => {
    const request = { confirmation: await readText(file), key: options.key ?? '' };
    const key = await administerHost(options, (host) => host.confirmActivation(request));
    if (options.json) printJson(keyDocument(key));
    else print(describeActive(key));
  });
}

/** `muster key list`. */
export function listKeys(options: KeyOptions): Promise<number> {
  return withExitCode(async () => {
    const { keys } = await administerHost(options, (host) => host.listKeys({}));
    if (options.json) printJson({ keys: keys.map(keyDocument) });
    else for (const line of describeKeys(keys)) print(line);
  });
}

/** `muster key remove`. */
export function removeKey(name: string, options: KeyOptions & { readonly confirm: string }): Promise<number> {
  return withExitCode(async () => {
    if (options.confirm.toUpperCase() !== name.toUpperCase()) {
      throw new MusterError({
        code: 'INPUT_INVALID',
        message: 'The key to be removed and the one of --confirm are not the same.',
        remedy: 'Give the same five characters twice; a key that is removed activates no machine any more.',
      });
    }
    const { revision } = await administerHost(options, (host) => host.removeKey({ key: name }));
    if (options.json) printJson({ removed: name, revision });
    else print(`The key ${name.toUpperCase()} is removed, and with it the certificate that it brought.`);
  });
}

const wrongInput = new Set(['INPUT_INVALID', 'DOCUMENT_INVALID', 'KEY_INVALID']);

async function withExitCode(run: () => Promise<void>): Promise<number> {
  try {
    await run();
    return exitCodes.success;
  } catch (error) {
    if (!(error instanceof MusterError) || !wrongInput.has(error.code)) throw error;
    sayError(error);
    return exitCodes.usage;
  }
}

/** Writes a file that its owner alone may read, whole or not at all. */
function writeSecretFile(path: string, content: string): void {
  const beside = `${path}.${process.pid}.new`;
  try {
    writeFileSync(beside, content, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw new MusterError({
      code: 'OUTPUT_UNWRITABLE',
      message: `${path} cannot be written: ${(error as Error).message}.`,
      cause: error,
    });
  }
}
