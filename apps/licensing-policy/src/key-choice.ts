import { MusterError } from '@muster/product-groups';
import type { InstalledKey } from './policy-state.ts';
import type { InstalledProductKey } from './product-key-state.ts';

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The installed key that somebody means.
 *
 * @param name its id or its last five characters; empty for the only one.
 * @throws MusterError `INPUT_INVALID` when there is none, or more than one.
 */
export function chooseKey(keys: readonly InstalledProductKey[], name: string): InstalledProductKey {
  const wanted = name.trim();
  if (wanted === '') return onlyOne(keys, keys, 'No KMS key is installed', 'Several KMS keys are installed');
  const isId = uuidPattern.test(wanted.toLowerCase());
  const found = isId
    ? keys.filter(({ id }) => id === wanted.toLowerCase())
    : keys.filter(({ lastFive }) => lastFive === wanted.toUpperCase());
  // What was typed is not repeated: it might be the whole key.
  const missing = 'No installed KMS key has this id or these last five characters';
  return onlyOne(found, keys, missing, 'Several installed KMS keys end with these five characters');
}

/**
 * The installed key that a confirmation is for. It names the product group alone, so the keys are looked through in this
 * order: those whose block is being carried, first for this group and then never activated; those of this group; those
 * that were never activated.
 *
 * @throws MusterError `INPUT_INVALID` when there is none, or it may be more than one.
 */
export function keyOfConfirmation(
  keys: readonly InstalledProductKey[],
  { application, productGroup }: InstalledKey,
): InstalledProductKey {
  const isOfGroup = ({ activation }: InstalledProductKey) =>
    activation?.application === application && activation.productGroup === productGroup;
  const isNew = ({ activation }: InstalledProductKey) => activation === undefined;
  const waiting = keys.filter(({ carried }) => carried !== undefined);
  const candidates = [
    waiting.filter(isOfGroup),
    waiting.filter(isNew),
    keys.filter(isOfGroup),
    keys.filter(isNew),
  ].find((each) => each.length > 0);
  return onlyOne(
    candidates ?? [],
    keys,
    `No installed KMS key waits for a confirmation for ${productGroup}`,
    'More than one installed KMS key may be the one that is confirmed',
  );
}

function onlyOne(
  found: readonly InstalledProductKey[],
  all: readonly InstalledProductKey[],
  none: string,
  several: string,
): InstalledProductKey {
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const choice = (only === undefined ? all : found).map(({ lastFive }) => lastFive);
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: `${only === undefined ? none : several}.`,
    remedy:
      choice.length === 0
        ? 'Install the key of the vendor first.'
        : `Name one by its last five characters, or by its id: ${[...new Set(choice)].join(', ')}.`,
  });
}
