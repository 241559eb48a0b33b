import { lockDirectory } from '../src/directory-lock.ts';

/** Holds the lock of a directory until it is killed. */
lockDirectory(process.argv[2] ?? '');
process.stdout.write('held\n');
setInterval(() => undefined, 60_000);
