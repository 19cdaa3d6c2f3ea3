/**
 * The one place that picks a device.
 */
import { requireName, requireMemoryLimit } from '../core/checks.js';
import { requireControl } from '../core/context.js';
import { HmatrixError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { availableMemory } from '../io/machine.js';
import { messageOf } from '../native/koffi.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { CpuDevice } from './cpu/device.js';
import { findCard, openCuda } from './cuda/open.js';
import { DEVICE_NAMES, type Device, type DeviceName } from './device.js';
import { openWebgpu } from './webgpu/device.js';
import { findAdapter } from './webgpu/library.js';

/** How much a device may take. */
export interface DeviceOptions {
  /**
   * Most bytes that may lie on the device; more is refused before it is sent. Default: on `cpu` and `cuda` what the
   * machine or the card has free when the device is opened; on `webgpu`, which does not tell that, no limit.
   */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link DeviceOptions}. */
const DEVICE_KEYS: KeysOf<DeviceOptions> = { memoryLimit: 'number' };

/** The names that `openDevice` takes. */
export const DEVICE_CHOICES = ['auto', ...DEVICE_NAMES] as const;

/** A device that was looked for. */
export interface DeviceOutcome {
  readonly device: DeviceName;
  readonly usable: boolean;
  /** What it is, where it is usable. */
  readonly description?: string | undefined;
  /** Whether the processor does its work: 'auto' then takes the team, which does it faster. */
  readonly software?: boolean | undefined;
  /** Why it is not usable. */
  readonly reason?: string | undefined;
}

/** Devices that are no team's, in the order in which `auto` prefers them. */
type CardName = Exclude<DeviceName, 'cpu'>;

/** A card that can be opened, and what it is. */
interface Found {
  readonly description: string;
  readonly software: boolean;
  readonly open: (memoryLimit: number | undefined) => Promise<Device>;
}

/** How each is looked for. */
const CARDS: Readonly<Record<CardName, () => Promise<Found>>> = {
  cuda: async () => {
    const card = findCard();
    const { description } = card;
    return { description, software: false, open: async (memoryLimit) => openCuda(card, { memoryLimit }) };
  },
  webgpu: async () => {
    const found = await findAdapter();
    const { description, software } = found;
    const open = (memoryLimit = Number.POSITIVE_INFINITY): Promise<Device> => openWebgpu(found, { memoryLimit });
    return { description, software, open };
  },
};
const CARD_NAMES = Object.keys(CARDS) as CardName[];

/** Every device but the team, in the order in which `auto` tries them, and what became of the search for each. */
export const describeDevices = (): Promise<DeviceOutcome[]> =>
  Promise.all(
    CARD_NAMES.map(async (device): Promise<DeviceOutcome> => {
      try {
        const { description, software } = await CARDS[device]();
        return { device, usable: true, description, software };
      } catch (error) {
        return { device, usable: false, reason: messageOf(error) };
      }
    }),
  );

/**
 * Opens a device: 'cuda', a card of NVIDIA's in float64 and float32; 'webgpu', a graphics card by WebGPU (the
 * browser's, or the package webgpu), in float32; 'cpu', the team of the control; or 'auto', the first of these that
 * there is, with a description that says, of the team, why. What is named is opened or refused. Close it with
 * `close()`. Throws OptionError, and where the device that is named cannot be used LibraryError or DeviceError, with
 * the reason.
 */
export async function openDevice(
  name: DeviceName | 'auto' = 'auto',
  options: DeviceOptions = {},
  control: Control = {},
): Promise<Device> {
  requireName(name, 'device', 'openDevice', DEVICE_CHOICES);
  requireKnownOptions(options, DEVICE_KEYS, 'openDevice');
  requireControl(control, 'openDevice');
  const { memoryLimit } = options;
  if (memoryLimit !== undefined) requireMemoryLimit(memoryLimit);
  if (name !== 'cpu' && name !== 'auto') return (await CARDS[name]()).open(memoryLimit);
  const reasons: string[] = [];
  for (const card of name === 'auto' ? CARD_NAMES : []) {
    try {
      const { description, software, open } = await CARDS[card]();
      if (!software) return await open(memoryLimit);
      reasons.push(`${card} has a software adapter alone, ${description}`);
    } catch (error) {
      if (!(error instanceof HmatrixError)) throw error;
      reasons.push(`${card} cannot be used: ${messageOf(error)}`);
    }
  }
  const { team } = await onTeam(control, 'openDevice');
  return new CpuDevice(team, memoryLimit ?? availableMemory(), reasons.length > 0 ? reasons.join('; ') : undefined);
}
