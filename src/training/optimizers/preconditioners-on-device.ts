/**
 * The preconditioners of hessian-free on devices by name: what each asks of a device, and how it begins there.
 */
import type { DeviceObjective } from '../device/device-objective.js';
import type { DeviceVectors } from '../device/device-vectors.js';
import type { HierarchicalSettings } from '../newton/preconditioners/hierarchical.js';
import { factorMoments } from '../newton/preconditioners/kfac.js';
import { NystromPreconditioner, type NystromSettings } from '../newton/preconditioners/nystrom.js';
import type { Preconditioner } from '../newton/preconditioners/preconditioner.js';
import type { Optimizer } from '../optimizer.js';
import { DiagonalOnDevice, diagonalMoments } from './diagonal-on-device.js';
import { hierarchicalThere } from './hierarchical-on-device.js';
import { KfacPreconditionerOnDevice } from './kfac-preconditioner-on-device.js';
import { nystromApart, NystromThere } from './nystrom-on-device.js';

/** A preconditioner before it has memory there. */
export interface PreconditionerThere extends Pick<
  Optimizer,
  'passes' | 'moments' | 'kept' | 'apart' | 'beside' | 'worksHere'
> {
  /** `numbers` are the stepper's, as here (`PreconditionerPlan`). */
  readonly begin: (
    objective: DeviceObjective,
    space: DeviceVectors,
    numbers: Record<string, number>,
  ) => Preconditioner<DeviceVectors> | undefined;
}

const DRAWN = ['gauss-newton', 'draw'] as const;

/** Those that there are. */
export const preconditionersThere = (
  settings: NystromSettings & HierarchicalSettings,
): Readonly<Record<'none' | 'diagonal' | 'kfac' | 'nystrom' | 'hierarchical', PreconditionerThere>> => ({
  none: { begin: () => undefined },
  diagonal: {
    passes: () => DRAWN,
    moments: ({ network }) => diagonalMoments(network),
    begin: (objective, space) => new DiagonalOnDevice(objective, space),
  },
  kfac: {
    passes: () => DRAWN,
    moments: ({ network }) => factorMoments(network),
    begin: (objective, space) => new KfacPreconditionerOnDevice(objective, space),
  },
  nystrom: {
    apart: (network) => nystromApart(settings, network),
    begin: (objective, space) =>
      new NystromPreconditioner(new NystromThere(objective, space, settings), objective.options.blas, settings),
  },
  hierarchical: hierarchicalThere(settings),
});
