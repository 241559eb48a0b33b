import { LicenceStatus, ResultCode, MachineClass as WireMachineClass } from '@muster/contracts/activation';
import type { MachineClass } from '@muster/product-groups';

/** Why a vendor's authority confirms no installation by a MAK (DESIGN 2.4). Only MAK replies carry these. */
export type MakRefusalCode = 'MAK_INVALID' | 'MAK_EXHAUSTED' | 'MAK_WRONG_GROUP' | 'KEY_REVOKED' | 'KEY_EXPIRED';

/** A result code as it is shown everywhere (DESIGN 2.4). Only these travel on the wire, and those of MAK replies. */
export type WireResultCodeName = Exclude<keyof typeof ResultCode, 'UNSPECIFIED' | MakRefusalCode>;

/** The state of a client's licence when it asks (DESIGN 5). */
export type LicenceStatusName = 'unlicensed' | 'initial-grace' | 'licensed' | 'out-of-tolerance-grace' | 'notification';

const machineClasses: Readonly<Record<MachineClass, WireMachineClass>> = {
  physical: WireMachineClass.PHYSICAL,
  virtual: WireMachineClass.VIRTUAL,
  container: WireMachineClass.CONTAINER,
};

const licenceStatuses: Readonly<Record<LicenceStatusName, LicenceStatus>> = {
  unlicensed: LicenceStatus.UNLICENSED,
  'initial-grace': LicenceStatus.INITIAL_GRACE,
  licensed: LicenceStatus.LICENSED,
  'out-of-tolerance-grace': LicenceStatus.OUT_OF_TOLERANCE_GRACE,
  notification: LicenceStatus.NOTIFICATION,
};

const {
  UNSPECIFIED: _,
  MAK_INVALID,
  MAK_EXHAUSTED,
  MAK_WRONG_GROUP,
  KEY_REVOKED,
  KEY_EXPIRED,
  ...resultCodes
} = ResultCode;
const makRefusals = { MAK_INVALID, MAK_EXHAUSTED, MAK_WRONG_GROUP, KEY_REVOKED, KEY_EXPIRED };

const makRefusalNames = namesByNumber<MakRefusalCode>(makRefusals);
const resultCodeNames = namesByNumber<WireResultCodeName>(resultCodes);
const machineClassNames = namesByNumber<MachineClass>(machineClasses);
const licenceStatusNames = namesByNumber<LicenceStatusName>(licenceStatuses);

/** Whether a code is one by which a MAK is refused. */
export function isMakRefusalCode(code: string): code is MakRefusalCode {
  return code in makRefusals;
}

/** The name of the number of a MAK's refusal; undefined for every other number. */
export function makRefusalName(number: number): MakRefusalCode | undefined {
  return makRefusalNames.get(number);
}

/** The number of a MAK's refusal on the wire. */
export function makRefusalNumber(name: MakRefusalCode): ResultCode {
  return ResultCode[name];
}

/** The name of a result code's number; undefined for UNSPECIFIED, MAK refusals and numbers of later versions. */
export function resultCodeName(number: number): WireResultCodeName | undefined {
  return resultCodeNames.get(number);
}

/** The number of a result code on the wire. */
export function resultCodeNumber(name: WireResultCodeName): ResultCode {
  return ResultCode[name];
}

/** The name of a machine class's number; undefined for UNSPECIFIED and unknown numbers. */
export function machineClassName(number: number): MachineClass | undefined {
  return machineClassNames.get(number);
}

/** The number of a machine class on the wire. */
export function machineClassNumber(name: MachineClass): WireMachineClass {
  return machineClasses[name];
}

/** The name of a licence status's number; undefined for UNSPECIFIED and unknown numbers. */
export function licenceStatusName(number: number): LicenceStatusName | undefined {
  return licenceStatusNames.get(number);
}

/** The number of a licence status on the wire. */
export function licenceStatusNumber(name: LicenceStatusName): LicenceStatus {
  return licenceStatuses[name];
}

function namesByNumber<Name extends string>(numbers: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  return new Map((Object.keys(numbers) as Name[]).map((name) => [numbers[name], name]));
}
