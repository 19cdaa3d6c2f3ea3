/** The inverse multiquadric, k = 1/√(1 + (r/h)²). */
import { radialForm, type KernelForm } from './kernel.js';

/** 1/√(1 + ‖x − y‖²/h²). */
export const inverseMultiquadric: KernelForm = radialForm('1/sqrt(1 + (r/h)^2)', ({ bandwidth: h }) => ({
  form: 'inverseMultiquadric',
  factor: 1 / (h * h),
}));
