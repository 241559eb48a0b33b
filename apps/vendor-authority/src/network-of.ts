import { isIPv6 } from 'node:net';

const groupsOfNetwork = 4;

/**
 * Under which name an address is counted: an IPv6 address by its /64, for whoever has one address of it has all of them,
 * and any other text by itself.
 */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const [front = '', back] = plain.split('::');
  const [before, after] = [groupsIn(front), groupsIn(back ?? '')];
  // What `::` stands for are groups of zero. An IPv4 address at the end takes the place of two groups.
  const length = before.length + after.length + (plain.includes('.') ? 1 : 0);
  const groups = back === undefined ? before : [...before, ...Array<string>(8 - length).fill('0'), ...after];
  return `${groups
    .slice(0, groupsOfNetwork)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function groupsIn(text: string): readonly string[] {
  return text === '' ? [] : text.split(':');
}
