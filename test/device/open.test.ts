/** What openDevice opens, says and refuses, and a device that is lost. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeviceError, DeviceLostError, LibraryError, MemoryError, OptionError } from '#hmatrix/core/errors.js';
import { describeDevices, openDevice } from '#hmatrix/device/open.js';
import { WebgpuDevice } from '#hmatrix/device/webgpu/device.js';
import type { Gpu, GpuDevice } from '#hmatrix/device/webgpu/api.js';
import { findAdapter } from '#hmatrix/device/webgpu/library.js';
import { sharedTeam } from '../teams.js';
import { hasAdapter, NO_ADAPTER } from './adapter.js';

const control = async (): Promise<{ team: Awaited<ReturnType<typeof sharedTeam>> }> => ({ team: await sharedTeam(2) });

/** A page's navigator.gpu. */
function pretend(gpu: Partial<Gpu>): void {
  vi.stubGlobal('navigator', { gpu });
}
beforeEach(() => {
  vi.stubEnv('HMATRIX_CUDA', 'none');
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});
/** What describeDevices says of cuda. */
const NO_CUDA = { device: 'cuda', usable: false, reason: 'HMATRIX_CUDA is "none": no card is looked for' };

describe('openDevice', () => {
  it('opens_the_team_by_name', async () => {
    const device = await openDevice('cpu', {}, await control());
    expect(device.description).toMatch(/^cpu: 2 workers, /);
    expect(device.precisions).toEqual(['f64', 'f32']);
    await device.close();
  });

  it('takes_the_team_where_there_is_no_card_only_if_asked_to_and_says_so', async () => {
    pretend({ requestAdapter: async () => null });
    expect((await describeDevices()).slice(0, 2)).toEqual([
      NO_CUDA,
      { device: 'webgpu', usable: false, reason: expect.stringMatching(/no adapter here/) as string },
    ]);
    await expect(openDevice('webgpu', {}, await control())).rejects.toThrow(LibraryError);
    const device = await openDevice('auto', {}, await control());
    expect([device.name, device.description]).toEqual([
      'cpu',
      expect.stringMatching(
        /; taken because cuda cannot be used: HMA.* looked for; webgpu cannot be used: WebGPU finds no adapter here/,
      ),
    ]);
    await device.close();
  });

  it('names_what_it_takes', async () => {
    await expect(openDevice('metal' as never)).rejects.toThrow(
      /device of openDevice is "metal": choose auto, cpu, cuda, webgpu, tfjs/,
    );
    await expect(openDevice('cpu', { memoryLimits: 1 } as never)).rejects.toThrow(/did you mean "memoryLimit"/);
    await expect(openDevice('cpu', { memoryLimit: 0 })).rejects.toThrow(OptionError);
    await expect(openDevice('cpu', {}, { team: 2 as never })).rejects.toThrow(/takes a team/);
  });

  it('says_what_a_card_refuses', async () => {
    const limits = { maxBufferSize: 1, maxStorageBufferBindingSize: 1, maxComputeWorkgroupsPerDimension: 1 };
    const info = { vendor: 'maker', architecture: 'a', device: '', description: '' };
    pretend({
      requestAdapter: async () => ({ limits, info, requestDevice: () => Promise.reject(new Error('not today')) }),
    });
    expect((await describeDevices()).slice(0, 2)).toEqual([
      NO_CUDA,
      { device: 'webgpu', usable: true, description: 'maker, a', software: false },
    ]);
    await expect(openDevice('webgpu')).rejects.toThrow(DeviceError);
    await expect(openDevice('webgpu')).rejects.toThrow(/device webgpu \(maker, a\) cannot be opened: not today/);
  });
});

describe.skipIf(!hasAdapter)('webgpu', () => {
  const openGpu = async (): Promise<GpuDevice> => (await findAdapter()).adapter.requestDevice({ requiredLimits: {} });

  it('is_told_apart_from_a_software_adapter_which_auto_leaves_alone', async () => {
    const { software, description } = await findAdapter();
    const named = await openDevice('webgpu');
    expect(named.description).toContain(description);
    expect(named.description.includes('software: the processor computes')).toBe(software);
    await named.close();
    const chosen = await openDevice('auto', {}, await control());
    expect(chosen.name).toBe(software ? 'cpu' : 'webgpu');
    if (software) expect(chosen.description).toContain('; webgpu has a software adapter alone');
    await chosen.close();
  });

  it('that_is_lost_says_so_and_the_numbers_of_this_machine_are_left', async () => {
    const gpu = await openGpu();
    const device = new WebgpuDevice(gpu, 'a card', { memoryLimit: Infinity });
    const numbers = Float32Array.of(1, 2, 3);
    const buffer = await device.upload(numbers);
    gpu.destroy();
    await gpu.lost;
    const into = new Float32Array(3);
    await expect(device.read(buffer, into)).rejects.toThrow(DeviceLostError);
    expect(() => device.write(buffer, numbers)).toThrow(/was lost \(destroyed.*Open it again/);
    await expect(device.finish()).rejects.toThrow(DeviceLostError);
    await expect(device.allocate(1, 'f32')).rejects.toThrow(DeviceLostError);
    expect([...numbers]).toEqual([1, 2, 3]);
    buffer.destroy();
    await device.close();
  });

  it('that_is_lost_while_it_is_read_says_so', async () => {
    const gpu = await openGpu();
    const device = new WebgpuDevice(gpu, 'a card', { memoryLimit: Infinity });
    const buffer = await device.allocate(2 ** 20, 'f32');
    const reading = device.read(buffer, new Float32Array(2 ** 20));
    gpu.destroy();
    await expect(reading).rejects.toThrow(DeviceLostError);
    await device.close();
  });

  it('that_is_out_of_memory_says_so_and_goes_on', async () => {
    const gpu = await openGpu();
    const refused = new Proxy(gpu, {
      get(target, key) {
        // The scope's answer, as a card without memory gives it.
        if (key === 'popErrorScope') return () => target.popErrorScope().then(() => ({ message: 'no memory' }));
        const value = Reflect.get(target, key) as unknown;
        return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value;
      },
    });
    const device = new WebgpuDevice(refused, 'a card', { memoryLimit: Infinity });
    const refusal = device.allocate(1000, 'f32');
    await expect(refusal).rejects.toThrow(MemoryError);
    await expect(refusal).rejects.toThrow(/out of memory: it would not give 4000 bytes/);
    expect(device.memory).toMatchObject({ buffers: 0, bytes: 0 });
    await device.finish();
    await device.close();
  });

  it('says_once_what_it_was_refused', async () => {
    const gpu = await openGpu();
    const device = new WebgpuDevice(gpu, 'a card', { memoryLimit: Infinity });
    // Of no use at all, which WebGPU forbids.
    gpu.createBuffer({ size: 16, usage: 0 });
    await expect(device.finish()).rejects.toThrow(/The device webgpu refused what it was handed: .*/);
    await device.finish();
    await device.close();
  });
});
if (!hasAdapter) it.skip(NO_ADAPTER, () => undefined);
