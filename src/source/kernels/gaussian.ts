/** The Gaussian kernel, k = exp(−r²/(2h²)), the squared exponential covariance. */
import { radialForm, type KernelForm } from './kernel.js';

/** exp(−‖x − y‖²/(2h²)). */
export const gaussian: KernelForm = radialForm('exp(-r^2/(2*h^2))', ({ bandwidth: h }) => ({
  form: 'gaussian',
  factor: -0.5 / (h * h),
}));
