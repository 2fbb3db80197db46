/**
 * The one WebGL context of the page. Panes are drawn into it one after the other, and copied to their own canvases:
 * six panes then need one set of shaders, and a lost context leaves the last pictures standing.
 */
import {
  BufferAttribute, BufferGeometry, ClampToEdgeWrapping, DataTexture, DoubleSide, FloatType, GLSL3, LinearFilter, Mesh,
  NearestFilter, PerspectiveCamera, RawShaderMaterial, RGFormat, Scene, Vector2, Vector3, WebGLRenderer,
} from "three";
import { LEVEL_TABLE, nearestLevels } from "./levels.js";
import { Ribbons } from "./ribbons.js";
import { SHADERS } from "./shaders.js";

// Lines are transparent: drawn one after the other, by the first word of their names.
const ORDER = ["grid", "border", "floor", "shadow", "drops", "casing", "path", "hidden"];
const KEY = [-0.55, -0.35, 0.75], FILL = [0.7, 0.2, 0.5];

export class Stage {
  /** @param {WebGLRenderer} renderer */
  constructor(renderer) {
    this.renderer = renderer;
    this.canvas = renderer.domElement;
    this.camera = new PerspectiveCamera();
    this.camera.matrixAutoUpdate = false;
    this.lost = false;
  }

  /**
   * Start WebGL; null where there is none.
   * @param {() => void} redraw  called when a lost context has come back
   * @returns {Stage | null}
   */
  static start(redraw) {
    const canvas = document.createElement("canvas");
    // Asked for by hand: three.js would write an error to the console where there is no WebGL.
    const context = canvas.getContext("webgl2", { alpha: true, antialias: true, premultipliedAlpha: true });
    if (!context) return null;
    const stage = new Stage(new WebGLRenderer({ canvas, context, antialias: true, alpha: true }));
    stage.renderer.setClearColor(0, 0);
    canvas.addEventListener("webglcontextlost", () => (stage.lost = true));
    canvas.addEventListener("webglcontextrestored", () => {
      stage.lost = false;
      redraw();
    });
    return stage;
  }

  /** What draws: the graphics card, or a program in its place. */
  get driver() {
    const gl = this.renderer.getContext();
    const names = gl.getExtension("WEBGL_debug_renderer_info");
    return String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  }

  /** Triangles of the last picture. */
  get triangles() {
    return this.renderer.info.render.triangles;
  }

  /** Whether a program stands in for the graphics card: then pictures are made smaller while they move. */
  get isSoftware() {
    return /swiftshader|llvmpipe|software|basic render/i.test(this.driver);
  }

  /**
   * Draw a model; the picture lies in the lower left corner of `canvas`, where its pixels have the same coordinates
   * however large the canvas has grown: two shots of one view are equal.
   * @param {Model} model
   * @param {View} view  in pixels of the page
   * @param {number} ratio  pixels of the picture for one of the page
   * @param {Look} look
   */
  draw(model, view, ratio, look) {
    const width = Math.max(1, Math.round(view.width * ratio)), height = Math.max(1, Math.round(view.height * ratio));
    if (this.canvas.width < width || this.canvas.height < height) {
      // At once as large as a fine picture needs: a canvas takes long to grow where there is no graphics card.
      const fine = Math.max(ratio, window.devicePixelRatio || 1);
      this.renderer.setSize(
        Math.max(Math.round(view.width * fine), this.canvas.width), Math.max(Math.round(view.height * fine), this.canvas.height), false);
    }
    this.renderer.setViewport(0, 0, width, height);
    this.renderer.setScissor(0, 0, width, height);
    this.renderer.setScissorTest(true);
    this.aim(view);
    model.prepare(view, width, height, ratio, look);
    this.renderer.clear();
    this.renderer.render(model.scene, this.camera);
    return { width, height };
  }

  /** @param {View} view */
  aim(view) {
    const { camera } = this;
    const near = view.distance - 3, far = view.distance + 4;
    const side = (/** @type {number} */ pixels) => (pixels / view.scale) * (view.flat ? view.distance : near);
    camera.matrix.makeBasis(new Vector3(...view.right), new Vector3(...view.up), new Vector3(...view.back));
    camera.matrix.setPosition(...view.eye);
    camera.matrix.decompose(camera.position, camera.quaternion, camera.scale);
    camera.matrixWorldNeedsUpdate = true;
    camera.projectionMatrix[view.flat ? "makeOrthographic" : "makePerspective"](
      side(-view.cx), side(view.width - view.cx), side(view.cy), side(view.cy - view.height), near, far);
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
  }
}

/** What one pane shows: a surface, lines, paths. */
export class Model {
  constructor() {
    this.scene = new Scene();
    this.material = new RawShaderMaterial({
      ...SHADERS.surface,
      glslVersion: GLSL3,
      side: DoubleSide,
      uniforms: {
        lut: { value: null },
        levels: { value: null },
        levelRange: { value: new Vector2(0, 1) },
        lines: { value: false },
        lineWidth: { value: 1 },
        ceiling: { value: Infinity },
        eye: { value: new Vector3() },
        key: { value: new Vector3() },
        fill: { value: new Vector3() },
      },
    });
    this.surface = new Mesh(new BufferGeometry(), this.material);
    this.surface.frustumCulled = false;
    this.surface.visible = false;
    this.scene.add(this.surface);
    this.indices = /** @type {{fine: BufferAttribute, coarse: BufferAttribute} | null} */ (null);
    this.levels = "";
    /** @type {Map<string, Ribbons>} */
    this.ribbons = new Map();
  }

  /** @param {MeshData} mesh */
  setMesh(mesh) {
    const old = this.surface.geometry;
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(mesh.position, 3));
    geometry.setAttribute("normal", new BufferAttribute(mesh.normal, 3));
    geometry.setAttribute("paint", new BufferAttribute(mesh.paint, 4));
    this.indices = { fine: new BufferAttribute(mesh.index, 1), coarse: new BufferAttribute(mesh.coarse, 1) };
    geometry.setIndex(this.indices.fine);
    this.surface.geometry = geometry;
    this.surface.visible = mesh.index.length > 0;
    old.dispose();
  }

  /** @param {Uint8Array} colors  256 times red, green, blue, alpha */
  setColors(colors) {
    const { uniforms } = this.material;
    uniforms.lut.value?.dispose();
    const texture = new DataTexture(colors, 256, 1);
    texture.magFilter = texture.minFilter = LinearFilter;
    texture.wrapS = ClampToEdgeWrapping;
    texture.needsUpdate = true;
    uniforms.lut.value = texture;
  }

  /**
   * @param {number[]} heights  of the iso-lines, increasing
   * @param {number} ceiling
   */
  setLevels(heights, ceiling) {
    const { uniforms } = this.material;
    if (String(heights) !== this.levels || !uniforms.levels.value) {
      this.levels = String(heights);
      const { table, low, high } = nearestLevels(heights);
      uniforms.levels.value?.dispose();
      const texture = new DataTexture(table, LEVEL_TABLE, 1, RGFormat, FloatType);
      texture.magFilter = texture.minFilter = NearestFilter;
      texture.wrapS = ClampToEdgeWrapping;
      texture.needsUpdate = true;
      uniforms.levels.value = texture;
      uniforms.levelRange.value.set(low, high);
    }
    uniforms.lines.value = heights.length > 0;
    uniforms.ceiling.value = Number.isFinite(ceiling) ? ceiling : 1e9;
  }

  /** The lines called so; made when first asked for. @param {string} name */
  lines(name) {
    let found = this.ribbons.get(name);
    if (!found) {
      found = new Ribbons(ORDER.indexOf(name.split(" ")[0]));
      this.ribbons.set(name, found);
      this.scene.add(found.mesh);
    }
    return found;
  }

  /** @param {View} view @param {number} width @param {number} height @param {number} ratio @param {Look} look */
  prepare(view, width, height, ratio, look) {
    const { uniforms } = this.material;
    if (this.indices) this.surface.geometry.setIndex(look.coarse ? this.indices.coarse : this.indices.fine);
    uniforms.eye.value.set(...view.eye);
    uniforms.lineWidth.value = look.lineWidth * ratio;
    // Turned with the camera, the lights stand as they do in the first view.
    const turn = look.headlight ? Math.atan2(view.back[1], view.back[0]) + (52 * Math.PI) / 180 : 0;
    for (const [name, [x, y, z]] of /** @type {[string, number[]][]} */ ([["key", KEY], ["fill", FILL]])) {
      const c = Math.cos(turn), s = Math.sin(turn);
      uniforms[name].value.set(c * x - s * y, s * x + c * y, z).normalize();
    }
    // A line's half that is lower in the picture would sink into a floor seen at this angle, or into what falls away.
    const near = view.distance - 3, far = view.distance + 4;
    const depth = view.flat ? 2 / (far - near) : (2 * near * far) / ((far - near) * view.distance ** 2);
    const steep = Math.min(4, Math.hypot(view.back[0], view.back[1]) / Math.max(view.back[2], 1e-6));
    const lean = (2.5 * depth * steep * view.distance) / view.scale;
    for (const each of this.ribbons.values()) each.resize(width / ratio, height / ratio, lean);
  }
}
