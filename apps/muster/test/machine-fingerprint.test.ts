import { expect, test } from 'vitest';
import { machineFingerprint } from '../src/machine-fingerprint.ts';

const firmware = '/sys/class/dmi/id/product_uuid';
const system = '/etc/machine-id';

/** A machine on which these files can be read. */
function machineWith(files: Readonly<Record<string, string>>): (path: string) => string {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw new Error('EACCES');
    return text;
  };
}

test('the UUID of the firmware goes before the id of the operating system, and stays after a reinstall', () => {
  const uuid = { [firmware]: '4C4C4544-0042-3510-8051-B7C04F4E3332\n' };
  const first = machineFingerprint(machineWith({ ...uuid, [system]: 'one\n' }));
  const reinstalled = machineFingerprint(
    machineWith({ [firmware]: uuid[firmware]?.toLowerCase() ?? '', [system]: 'two' }),
  );
  expect(first.fingerprint).toHaveLength(32);
  expect(reinstalled).toEqual(first);
  const other = machineFingerprint(machineWith({ [firmware]: '4C4C4544-0042-3510-8051-B7C04F4E3333' }));
  expect(other.fingerprint).not.toEqual(first.fingerprint);
});

test.each(['', '00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'])(
  'a firmware that says %j is not believed, because many say the same',
  (uuid) => {
    const { source } = machineFingerprint(
      machineWith({ [firmware]: uuid, [system]: '3d1219c7c4c5404aaa1f6d2a48adfda4' }),
    );
    expect(source).toBe('the machine id of the operating system');
  },
);

test('a machine that says nothing of itself is not guessed at', () => {
  expect(() => machineFingerprint(machineWith({ [system]: '' }))).toThrow(
    expect.objectContaining({ code: 'INPUT_INVALID' }),
  );
});
