/**
 * What runs on the graphics card: the light of `plot/surfaces/shading.py`, iso-lines a pixel at a time, and lines of constant width.
 */

const SURFACE_VERTEX = `
in vec3 position;
in vec3 normal;
in vec4 paint;
uniform mat4 viewMatrix;
uniform mat4 projectionMatrix;
out vec3 vPlace;
out vec3 vNormal;
out vec4 vPaint;
void main() {
  vPlace = position;
  vNormal = normal;
  vPaint = paint;
  gl_Position = projectionMatrix * viewMatrix * vec4(position, 1.0);
}`;

const SURFACE_FRAGMENT = `
precision highp float;
in vec3 vPlace;
in vec3 vNormal;
in vec4 vPaint;
uniform sampler2D lut;
uniform highp sampler2D levels;
uniform vec2 levelRange;
uniform bool lines;
uniform float lineWidth;
uniform float ceiling;
uniform vec3 eye;
uniform vec3 key;
uniform vec3 fill;
out vec4 color;

vec3 toLinear(vec3 s) {
  return mix(s / 12.92, pow((s + 0.055) / 1.055, vec3(2.4)), step(0.04045, s));
}
vec3 toSrgb(vec3 l) {
  l = clamp(l, 0.0, 1.0);
  return mix(l * 12.92, 1.055 * pow(l, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, l));
}
// How much of this pixel a line covers whose distance is given in the gradient's unit.
float cover(float away, float gradient, float width) {
  // A plateau has no iso-line, only rounding.
  if (gradient < 1e-7) return 0.0;
  return clamp(width * 0.5 + 0.5 - abs(away) / gradient, 0.0, 1.0) * min(width, 1.0);
}
void main() {
  float height = vPlace.z;
  if (height > ceiling) discard;
  float gradient = length(vec2(dFdx(height), dFdy(height)));
  float edge = length(vec2(dFdx(vPaint.z), dFdy(vPaint.z)));

  vec3 base = vPaint.x < -0.5 ? vec3(0.263) : toLinear(texture(lut, vec2(vPaint.x * (255.0 / 256.0) + 0.5 / 256.0, 0.5)).rgb);
  vec3 n = normalize(vNormal);
  bool below = !gl_FrontFacing;
  if (below) n = -n;
  vec3 towards = normalize(eye - vPlace);
  float bright = 0.30 * (0.85 + 0.15 * (n.z + 1.0) / 2.0) + 0.45 * max(-n.z, 0.0);
  bright += 0.80 * max(dot(n, key), 0.0) + 0.26 * max(dot(n, fill), 0.0);
  float shine = 0.10 * pow(max(dot(n, normalize(towards + key)), 0.0), 40.0);
  if (!below) bright *= 1.0 - 0.35 * (1.0 - vPaint.y);
  // Half of the highlight in the surface's own colour, like silk: pure white would wash out what colour says.
  vec3 tint = 0.5 + 0.5 * base / max(max(base.r, max(base.g, base.b)), 1e-6);
  vec3 light = base * bright + (below ? 0.0 : shine) * tint;

  // The nearest level, and the one nearest after it on the other side of this height or beyond: looked up, since a
  // program in the place of a graphics card takes longer for a loop over all of them than for all the rest.
  float near = 1e9;
  float second = 1e9;
  if (lines) {
    vec2 nearest = texture(levels, vec2((height - levelRange.x) / (levelRange.y - levelRange.x), 0.5)).rg;
    near = abs(height - nearest.x);
    second = max(near, abs(height - nearest.y));
  }
  // On a wall so steep on screen that lines would merge into a black patch, they fade instead.
  float room = clamp((near + second) / max(gradient, 1e-12) / (4.0 * lineWidth) - 0.25, 0.25, 1.0);
  float ink = 0.6 * room * cover(near, gradient, lineWidth);
  ink = max(ink, 0.4 * cover(vPaint.z, edge, lineWidth * 1.5));
  // Dark lines would drown in the dark end of a colour map: there they are light.
  vec3 inked = dot(base, vec3(0.2126, 0.7152, 0.0722)) > 0.07 ? 0.15 * light : light + 0.15;
  light = mix(light, inked, ink);
  if (ceiling < 1e6) {
    float period = 5.0 * lineWidth;
    float stripe = abs(fract((gl_FragCoord.x + gl_FragCoord.y) / period) - 0.5) * period;
    float hatch = clamp(lineWidth * 0.6 + 0.5 - stripe, 0.0, 1.0) * cover(ceiling - height, gradient, 16.0 * lineWidth);
    light *= 1.0 - 0.7 * max(cover(ceiling - height, gradient, 2.0 * lineWidth), 0.6 * hatch);
  }
  // Where the colour says more than is known: strokes as on the map, white on dark, so that they are seen on any colour.
  if (vPaint.w > 0.5) {
    float period = 6.0 * lineWidth;
    float stroke = abs(fract((gl_FragCoord.x - gl_FragCoord.y) / period) - 0.5) * period;
    light = mix(light, vec3(0.004), 0.55 * clamp(1.3 * lineWidth + 0.5 - stroke, 0.0, 1.0));
    light = mix(light, vec3(1.0), clamp(0.6 * lineWidth + 0.5 - stroke, 0.0, 1.0));
  }
  color = vec4(toSrgb(light), 1.0);
}`;

const LINE_VERTEX = `
in vec3 position;
in vec3 start;
in vec3 end;
in vec3 startColor;
in vec3 endColor;
in vec2 reach;
uniform mat4 viewMatrix;
uniform mat4 projectionMatrix;
uniform vec2 size;
uniform float width;
uniform float lift;
uniform float lean;
out vec3 vColor;
out float vReach;
void main() {
  vec4 a = projectionMatrix * viewMatrix * vec4(start, 1.0);
  vec4 b = projectionMatrix * viewMatrix * vec4(end, 1.0);
  vec2 along = (b.xy / b.w - a.xy / a.w) * size;
  float far = length(along);
  along = far > 1e-6 ? along / far : vec2(1.0, 0.0);
  vec4 p = mix(a, b, position.x);
  // Half a width beyond each end closes the corners between segments.
  vec2 off = vec2(-along.y, along.x) * position.y + along * (2.0 * position.x - 1.0);
  p.xy += off * width / size * p.w;
  p.z -= (lift + lean) * p.w;
  vColor = mix(startColor, endColor, position.x);
  vReach = mix(reach.x, reach.y, position.x);
  gl_Position = p;
}`;

const LINE_FRAGMENT = `
precision highp float;
in vec3 vColor;
in float vReach;
uniform float dash;
uniform float opacity;
uniform vec3 tint;
uniform float useTint;
uniform vec4 veil;
out vec4 color;
void main() {
  if (dash > 0.0 && fract(vReach / dash) > 0.55) discard;
  color = vec4(mix(mix(vColor, veil.rgb, veil.a), tint, useTint) * opacity, opacity);
}`;

export const SHADERS = {
  surface: { vertexShader: SURFACE_VERTEX, fragmentShader: SURFACE_FRAGMENT },
  line: { vertexShader: LINE_VERTEX, fragmentShader: LINE_FRAGMENT },
};
