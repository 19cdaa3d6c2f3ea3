/** Whether kernels can be compiled as for a card. */
import { execFileSync } from 'node:child_process';

/** The compiler of CUDA's toolkit, where it is installed. */
export function hasNvcc(): boolean {
  try {
    execFileSync('nvcc', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
