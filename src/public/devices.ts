/**
 * Devices: memory and products beside this machine's processor, and the team behind the same contract.
 */
export type { BlockRows } from '../device/block-rows.js';
export type {
  Device,
  DeviceBuffer,
  DeviceCounters,
  DeviceMemory,
  DeviceName,
  LaunchCost,
  LaunchOperands,
  PreparedRows,
} from '../device/device.js';
export { describeDevices, openDevice, type DeviceOptions, type DeviceOutcome } from '../device/open.js';
