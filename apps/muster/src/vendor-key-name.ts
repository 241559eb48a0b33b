import { KeyKind, type ProductKey, type VendorAdministration } from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import { formatUuid, parseUuid } from '@muster/wire-codec';

const lastFivePattern = /^[0-9A-Z]{5}$/;
const everyKey = { customer: '', application: '', kind: KeyKind.UNSPECIFIED };

/**
 * The key that somebody means: by its id, or by its last five characters where no other key ends in them.
 *
 * @throws MusterError `KEY_UNKNOWN`, `INPUT_INVALID` when the name is neither or stands for several keys. It is not
 * repeated: somebody may have typed a whole product key.
 */
export async function findKey(authority: VendorAdministration, name: string): Promise<ProductKey> {
  const keyId = parseUuid(name.toLowerCase());
  if (keyId !== undefined) return authority.getKey({ keyId });
  const lastFive = name.toUpperCase();
  if (!lastFivePattern.test(lastFive)) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: 'A key is named by its id or by its last five characters, and this is neither.',
      remedy: 'Take one of the two from `muster vendor key list --json`, and never type a whole key on a command line.',
    });
  }
  const found: ProductKey[] = [];
  for await (const key of authority.listKeys(everyKey)) if (key.lastFive === lastFive) found.push(key);
  const [key] = found;
  if (key === undefined) {
    throw new MusterError({
      code: 'KEY_UNKNOWN',
      message: `The authority has issued no key that ends in ${lastFive}.`,
    });
  }
  if (found.length === 1) return key;
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: `${found.length} keys end in ${lastFive}.`,
    remedy: `Give the id of the one you mean: ${found.map((each) => `${formatUuid(each.keyId)} (${each.customer})`).join(', ')}.`,
  });
}
