/** Two ranks with networks of their own, as on two machines: what they exchange goes over TCP. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../io/temporary-folder.js';
import { LAUNCHERS, runAlone, runRanks } from './launchers.js';

const folder = temporaryFolder();
const [openMpi] = LAUNCHERS;
const names = ['a', 'b'].map((letter) => `hmatrix-${letter}-${process.pid}`);
const ip = (text: string): void => {
  execFileSync('ip', text.split(' '), { stdio: 'pipe' });
};

const removeNetworks = (): void => {
  for (const name of names)
    try {
      ip(`netns del ${name}`);
    } catch {
      // It was never there.
    }
};

/** Makes two networks with a link between them; why not, where that cannot be done here. */
function makeNetworks(): string | undefined {
  if (openMpi.missing !== undefined) return openMpi.missing;
  const [a, b] = names;
  try {
    for (const name of names) ip(`netns add ${name}`);
    ip(`-n ${a} link add hm0 type veth peer name hm0 netns ${b}`);
    names.forEach((name, k) => {
      ip(`-n ${name} addr add 10.77.0.${k + 1}/24 dev hm0`);
      ip(`-n ${name} link set lo up`);
      ip(`-n ${name} link set hm0 up`);
    });
    return undefined;
  } catch (error) {
    removeNetworks();
    return `no networks can be made here (${(error as Error).message.split('\n')[0]})`;
  }
}

const missing = makeNetworks();
afterAll(removeNetworks);

if (missing !== undefined) it.skip(`two ranks on two networks: ${missing}`, () => undefined);
else
  describe('two ranks on two networks', () => {
    it('do_what_the_equations_say_over_TCP_with_the_same_bits', async () => {
      // What mpirun calls for ssh: AGENT [OPTIONS] HOST COMMAND.
      const agent = join(folder, 'agent.sh');
      writeFileSync(
        agent,
        `#!/bin/sh
while [ "\${1#-}" != "$1" ]; do shift; done
case $1 in 10.77.0.1) network=${names[0]};; *) network=${names[1]};; esac
shift
exec ip netns exec "$network" sh -c "$*"
`,
      );
      chmodSync(agent, 0o755);
      const mca = { plm_rsh_agent: agent, btl: 'tcp,self' };
      const net = { btl_tcp_if_include: '10.77.0.0/24', oob_tcp_if_include: '10.77.0.0/24' };
      const options = Object.entries({ ...mca, ...net }).flatMap(([name, value]) => ['--mca', name, value]);
      const [mpirun, ...common] = openMpi.command;
      const command = ['ip', 'netns', 'exec', names[0], mpirun, ...common, '--host', '10.77.0.1,10.77.0.2', ...options];
      const { status, stdout, stderr } = await runRanks({ ...openMpi, command }, 2, ['mpi-checks.mjs', '5']);
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      const found = JSON.parse(stdout) as { size: number; failures: string[]; sum: number[] };
      expect([found.size, found.failures]).toEqual([2, []]);
      const alone = await runAlone(['mpi-checks.mjs', '5']);
      expect(found.sum).toEqual((JSON.parse(alone.stdout) as typeof found).sum);
    });
  });
