/**
 * The adapter that tests of WebGPU run on: a card where there is one, else the software adapter that Debian's Chromium
 * brings along (SwiftShader). Where there is neither, they skip, saying why.
 */
import { existsSync } from 'node:fs';
import { loadKoffi } from '#hmatrix/native/koffi.js';
import { findAdapter, type FoundAdapter } from '#hmatrix/device/webgpu/library.js';

const LOADER = '/usr/lib/chromium/libvulkan.so.1';
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** What a skipped test says. */
export const NO_ADAPTER = 'there is no adapter of WebGPU here (Debian: apt-get install chromium has a software one)';

async function find(): Promise<FoundAdapter | undefined> {
  try {
    return await findAdapter();
  } catch {
    if (![LOADER, DRIVER].every((path) => existsSync(path))) return undefined;
  }
  // The loader goes by its name once it is loaded, and looks at the variable when it is first asked.
  const before = process.env['VK_DRIVER_FILES'];
  process.env['VK_DRIVER_FILES'] = DRIVER;
  try {
    loadKoffi().load(LOADER);
    return await findAdapter();
  } catch {
    return undefined;
  } finally {
    if (before === undefined) delete process.env['VK_DRIVER_FILES'];
    else process.env['VK_DRIVER_FILES'] = before;
  }
}

const ADAPTER = Symbol.for('hmatrix: adapter of the tests');
const shared = globalThis as { [ADAPTER]?: Promise<FoundAdapter | undefined> };

/** Whether the process has an adapter. Files of one process share what was found. */
export const hasAdapter = (await (shared[ADAPTER] ??= find())) !== undefined;
