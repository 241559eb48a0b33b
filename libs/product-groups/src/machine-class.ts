/** Where a client runs (DESIGN 2.1). Only `physical` raises the count unless the catalogue says otherwise. */
export type MachineClass = 'physical' | 'virtual' | 'container';

/** All machine classes, for menus, checks and tests. */
export const machineClasses = ['physical', 'virtual', 'container'] as const satisfies readonly MachineClass[];
