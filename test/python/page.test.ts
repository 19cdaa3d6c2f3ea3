/**
 * docs/python.md from top to bottom: its programs in Python and its commands, in order, in one folder. Blocks of
 * PyTorch are run where it is installed, those of JAX are not.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hmatrix } from '../cli/command.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { interpreterWith, runPython, without } from './interpreter.js';

const root = resolve(import.meta.dirname, '../..');
const folder = temporaryFolder();
const numpy = interpreterWith('numpy');
const torch = interpreterWith('torch', 'safetensors', 'numpy');
const blocks = [
  ...readFileSync(resolve(root, 'docs/python.md'), 'utf8').matchAll(/^```(\w+) ?(.*)\n([^]*?)^```$/gm),
].map(([, language, mode, text]) => ({ language, mode, text }));

const python = (interpreter: string, program: string): Promise<string> =>
  runPython(interpreter, `import os\nos.chdir(${JSON.stringify(folder)})\n${program}`, [], resolve(root, 'python'));

describe(`docs/python.md${without(numpy, 'numpy')}`, () => {
  it.skipIf(numpy === undefined)('runs from top to bottom', async () => {
    const ran = { python: 0, commands: 0 };
    for (const { language, mode, text } of blocks) {
      if (language === 'python' && mode === '') {
        expect(await python(numpy!, text), text).toBe('');
        ran.python++;
      }
      if (language !== 'sh') continue;
      for (const line of text.trim().split('\n')) {
        const [name, ...args] = line.split(' ');
        expect(name).toBe('hmatrix');
        const { status, stderr } = await hmatrix(args, { cwd: folder });
        expect({ line, status, stderr }).toEqual({ line, status: 0, stderr: '' });
        ran.commands++;
      }
    }
    expect(ran).toEqual({ python: 6, commands: 4 });
  });

  it.skipIf(torch === undefined)(`weights of PyTorch are read${without(torch, 'torch and safetensors')}`, async () => {
    const [{ text }] = blocks.filter(({ mode }) => mode === 'torch');
    await python(torch!, text);
    const network = ['--network', '2-16-1', '--activation', 'tanh', '--bias', '--weights', 'weights.safetensors'];
    const data = ['--data', 'data.npz', '--targets', 'data.npz'];
    const out = ['--shift', '1e-3', '--out', 'torch.safetensors', '--quiet'];
    expect(await hmatrix(['sample', ...network, ...data, ...out], { cwd: folder })).toMatchObject({ status: 0 });
    const program = `
import torch
from safetensors.torch import load_file
model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
model.load_state_dict({name: a[3] for name, a in load_file('torch.safetensors').items()})`;
    expect(await python(torch!, program)).toBe('');
  });
});
