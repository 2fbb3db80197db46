/** Lines of constant width on screen: one quad a segment, all of them in one draw call. */
import {
  BufferAttribute, CustomBlending, GLSL3, GreaterDepth, InstancedBufferAttribute, InstancedBufferGeometry,
  InstancedInterleavedBuffer, InterleavedBufferAttribute, Mesh, OneFactor, OneMinusSrcAlphaFactor,
  RawShaderMaterial, Vector2, Vector3, Vector4,
} from "three";
import { SHADERS } from "./shaders.js";

const CORNERS = new Float32Array([0, -1, 0, 1, -1, 0, 1, 1, 0, 0, 1, 0]);
const QUAD = new Uint16Array([0, 1, 2, 0, 2, 3]);

/** Segments with a colour at each end. */
export class Ribbons {
  /** @param {number} order  in which transparent things are drawn */
  constructor(order) {
    this.material = new RawShaderMaterial({
      ...SHADERS.line,
      glslVersion: GLSL3,
      uniforms: {
        size: { value: new Vector2(1, 1) },
        width: { value: 1 },
        lift: { value: 0 },
        lean: { value: 0 },
        opacity: { value: 1 },
        tint: { value: new Vector3() },
        useTint: { value: 0 },
        veil: { value: new Vector4(0, 0, 0, 0) },
        dash: { value: 0 },
      },
      transparent: true,
      // Lines at one height would cut each other into dashes.
      depthWrite: false,
      blending: CustomBlending,
      blendSrc: OneFactor,
      blendDst: OneMinusSrcAlphaFactor,
    });
    this.mesh = new Mesh(new InstancedBufferGeometry(), this.material);
    this.mesh.frustumCulled = false;
    this.mesh.renderOrder = order;
    this.mesh.visible = false;
    this.count = 0;
    this.lies = false;
  }

  /**
   * @param {number[]} points  six numbers a segment
   * @param {number[]} [colors]  six numbers a segment, 0 to 1
   */
  set(points, colors = []) {
    this.mesh.geometry.dispose();
    const geometry = new InstancedBufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(CORNERS, 3));
    geometry.setIndex(new BufferAttribute(QUAD, 1));
    const places = new InstancedInterleavedBuffer(new Float32Array(points), 6);
    const hues = new InstancedInterleavedBuffer(colors.length ? new Float32Array(colors) : new Float32Array(points.length), 6);
    geometry.setAttribute("start", new InterleavedBufferAttribute(places, 3, 0));
    geometry.setAttribute("end", new InterleavedBufferAttribute(places, 3, 3));
    geometry.setAttribute("startColor", new InterleavedBufferAttribute(hues, 3, 0));
    geometry.setAttribute("endColor", new InterleavedBufferAttribute(hues, 3, 3));
    this.count = points.length / 6;
    const reach = new Float32Array(2 * this.count);
    for (let k = 0; k < this.count; k++) {
      const [a, b, c, d, e, f] = points.slice(6 * k, 6 * k + 6);
      reach[2 * k] = k ? reach[2 * k - 1] : 0;
      reach[2 * k + 1] = reach[2 * k] + Math.hypot(d - a, e - b, f - c);
    }
    geometry.setAttribute("reach", new InstancedBufferAttribute(reach, 2));
    geometry.instanceCount = this.count;
    this.mesh.geometry = geometry;
    this.mesh.visible = this.count > 0;
  }

  /** @param {number} count  draw only so many, from the first */
  show(count) {
    this.mesh.geometry.instanceCount = Math.max(0, Math.min(count, this.count));
    this.mesh.visible = this.mesh.geometry.instanceCount > 0;
  }

  /**
   * @param {object} style
   * @param {number} [style.width]  pixels
   * @param {number} [style.lift]  towards the eye, so that a surface does not hide what lies on it
   * @param {boolean} [style.lies]  whether it lies on the surface, so that its width must not sink into it
   * @param {number} [style.opacity]
   * @param {number[] | null} [style.tint]  one colour for all, instead of their own
   * @param {number[]} [style.veil]  a colour mixed in, and how much of it
   * @param {number} [style.dash]  seen only where the surface hides it, in dashes of this length in the scene
   */
  style({ width, lift, lies, opacity, tint, veil, dash }) {
    const { uniforms } = this.material;
    if (width !== undefined) uniforms.width.value = width;
    if (lift !== undefined) uniforms.lift.value = lift;
    if (lies !== undefined) this.lies = lies;
    if (opacity !== undefined) uniforms.opacity.value = opacity;
    if (veil) uniforms.veil.value.set(...veil);
    if (dash) {
      uniforms.dash.value = dash;
      this.material.depthFunc = GreaterDepth;
    }
    if (tint !== undefined) {
      uniforms.useTint.value = tint ? 1 : 0;
      if (tint) uniforms.tint.value.set(...tint);
    }
  }

  /**
   * @param {number} width @param {number} height
   * @param {number} lean  by how much a floor comes nearer, in depth of the picture, from one pixel to the next
   */
  resize(width, height, lean) {
    const { uniforms } = this.material;
    uniforms.size.value.set(width, height);
    uniforms.lean.value = this.lies ? (lean * uniforms.width.value) / 2 : 0;
  }
}
