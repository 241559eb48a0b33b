import { MusterError } from '@muster/product-groups';
import { stackDocument, stackText } from './describe-stack.ts';
import { type CommandOptions, help, parseOptions } from './options.ts';
import type { Stack } from './stack.ts';
import { startStack } from './start-stack.ts';

/** `npm run stack`. */
const progress = (text: string) => process.stderr.write(`${text}\n`);
const interruptedCode = 130;

const options = readOptions();
if (options.help) process.stdout.write(help);
else process.exitCode = await run(options);

function readOptions(): CommandOptions {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    progress(`${(error as Error).message} Run it with --help for its options.`);
    process.exit(2);
  }
}

/** @returns the exit code. */
async function run({
  directory,
  gatewayPort,
  gateways,
  countings,
  policies,
  ...rest
}: CommandOptions): Promise<number> {
  const asked = new AbortController();
  let stack: Stack | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      // The first signal stops in order, or gives up the start; the second one kills. Of a start the guard kills what is
      // left when this process has ended.
      if (asked.signal.aborted) Promise.resolve(stack?.kill()).finally(() => process.exit(interruptedCode));
      else asked.abort();
    });
  }
  try {
    stack = await startStack({
      ...(directory === undefined ? {} : { directory }),
      ports: { gateway: gatewayPort },
      counts: { gateways, countings, policies },
      signal: asked.signal,
      progress,
    });
  } catch (error) {
    if (asked.signal.aborted) return interruptedCode;
    progress(
      error instanceof MusterError ? `${error.code}: ${error.message} ${error.remedy}` : (error as Error).message,
    );
    return 1;
  }
  process.stdout.write(rest.json ? `${JSON.stringify(stackDocument(stack), null, 2)}\n` : stackText(stack));
  await untilAsked(asked.signal, rest.seconds);
  progress('Stopping. Ctrl-C again kills.');
  asked.abort();
  await stack.stop();
  return 0;
}

/** Waits for a signal or for the end of the time that was given. */
function untilAsked(signal: AbortSignal, seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    const timer = seconds === undefined ? undefined : setTimeout(resolve, seconds * 1_000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
