/** A command on which all ranks work: what each of them writes, and the sum of their numbers. */
import { closeRanks, openRanks, ranks } from '#hmatrix/cli/ranks.js';
import { print, say } from '#hmatrix/cli/terminal.js';

const [, , status] = process.argv;
await openRanks('train', { train: 'all' });
const sum = Float64Array.of(1 + ranks().rank);
ranks().allreduce(sum, 'sum');
print(`the sum is ${sum[0]}`);
if (ranks().rank === 1) say('what this rank has to say');
const own = ranks().rank === 1 ? Number(status) : 0;
closeRanks(own);
process.exitCode = own;
