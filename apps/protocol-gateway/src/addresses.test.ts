import { expect, test } from 'vitest';
import { AddressRanges, countedAddress, ipv6Text, isLoopback, parseAddressRange, plainAddress } from './addresses.ts';

test.each([
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['::ffff:0:1', '::ffff:0:1'],
  [undefined, ''],
])('the peer %s is named %s', (address, named) => {
  expect(plainAddress(address)).toBe(named);
});

test.each([
  ['10.0.0.0/8', { address: '10.0.0.0', family: 'ipv4', prefix: 8 }],
  ['192.0.2.7', { address: '192.0.2.7', family: 'ipv4', prefix: 32 }],
  ['0.0.0.0/0', { address: '0.0.0.0', family: 'ipv4', prefix: 0 }],
  ['2001:db8::/32', { address: '2001:db8::', family: 'ipv6', prefix: 32 }],
  ['::1', { address: '::1', family: 'ipv6', prefix: 128 }],
])('%s is a range of addresses', (text, range) => {
  expect(parseAddressRange(text)).toEqual(range);
});

test.each([
  '',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/8.5',
  '10.0.0.0/ 8',
  '10.0.0.0/8/8',
  '10.0.0/8',
  '010.0.0.1',
  '2001:db8::/129',
  'fe80::1%eth0/64',
  'balancer.example',
])('%j is no range of addresses', (text) => {
  expect(parseAddressRange(text)).toBeUndefined();
});

test('an address is in a range when its first bits are', () => {
  const texts = ['10.20.0.0/14', '192.0.2.7', '2001:db8:7::/48'];
  const ranges = new AddressRanges(texts.flatMap((text) => parseAddressRange(text) ?? []));
  const inside = ['10.20.0.0', '10.23.255.255', '192.0.2.7', '2001:db8:7::1', '2001:db8:7:ffff:ffff:ffff:ffff:ffff'];
  const outside = ['10.19.255.255', '10.24.0.0', '192.0.2.8', '2001:db8:8::1', '::1', '', 'no address'];
  expect(inside.filter((address) => !ranges.includes(address))).toEqual([]);
  expect(outside.filter((address) => ranges.includes(address))).toEqual([]);
  expect(new AddressRanges([]).includes('10.20.0.0')).toBe(false);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['2001:db8::1:0:0:6', '2001:db8:0:0::/64'],
  ['2001:db8::2:3:4:5:6', '2001:db8:0:2::/64'],
  ['2001::2:3:4:5:6:7', '2001:0:2:3::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
  ['2001:db8:1::', '2001:db8:1:0::/64'],
  ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['febf::1', 'febf::1'],
])('%s is counted as %s', (address, counted) => {
  expect(countedAddress(address)).toBe(counted);
});

test('the addresses of the machine itself are loopback', () => {
  const addresses = ['127.0.0.1', '127.255.0.9', '::1', '128.0.0.1', '::2', '1.127.0.1', ''];
  expect(addresses.filter(isLoopback)).toEqual(['127.0.0.1', '127.255.0.9', '::1']);
});

test.each([
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['20010db8000100000000000000010000', '2001:db8:1::1:0'],
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
])('the sixteen bytes %s are %s', (hex, text) => {
  expect(ipv6Text(Buffer.from(hex, 'hex'))).toBe(text);
});
