/**
 * What the page is given (written by `plot/html.py`) and what it remembers.
 *
 * Grids are rows of y: the value at (x[i], y[j]) stands at j * nx + i.
 *
 * @typedef {Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>} Numbers
 *
 * @typedef {object} PackedArray
 * @property {"f8" | "f4" | "i8" | "u1"} type
 * @property {number[]} shape
 * @property {number} bytes
 * @property {number} [table]
 *
 * @typedef {object} AxisRecord
 * @property {string} label
 * @property {string} text  what an axis is called in full, with its share of the variance
 * @property {number} values  number of the array
 *
 * @typedef {object} PathRecord
 * @property {string} name
 * @property {number} coordinates  (n, 2)
 * @property {number} residual
 * @property {number} loss
 * @property {number} step
 * @property {string} unit  what its steps count
 * @property {string} lossName  which values its loss is to be compared with
 * @property {Record<string, number>} own  values measured at its points
 * @property {Record<string, number>} below  values of the plane at its coordinates
 * @property {number[]} drops  indices at which the learning rate fell
 * @property {string} note  variance shares, in a sentence
 *
 * @typedef {object} SurfaceRecord
 * @property {string} title
 * @property {string} caption
 * @property {string} file
 * @property {AxisRecord[]} axes
 * @property {Record<string, number>} values
 * @property {Record<string, number>} stderr
 * @property {Record<string, number>} paired
 * @property {Record<string, number>} counts  samples a point, by data set
 * @property {number} state  0 not computed, 1 computed, 2 interpolated
 * @property {string} unfinished  how much of a run is still to come; empty where all is there
 * @property {Record<string, string>} interpolation  how right interpolated points are, by values; empty where not known
 * @property {Record<string, number>} samples  over how many samples of a data set the checkpoint was measured
 * @property {boolean} centred  whether the checkpoint lies at 0, 0
 * @property {Record<string, number>} origin  values measured at theta*
 * @property {boolean} smooth  whether the still renderer draws it smoothed
 * @property {[string, string][]} trust
 * @property {PathRecord[]} paths
 *
 * @typedef {object} PaneRecord
 * @property {string} title
 * @property {SurfaceRecord[]} frames  more than one where there is a slider over epochs
 *
 * @typedef {object} Document
 * @property {"landscape page"} format
 * @property {number} version
 * @property {string} name
 * @property {string} software
 * @property {Record<string, string[]>} captions  where the pictures came from, in one or two sentences, by the height's
 *   name: one, or one a frame
 * @property {string} frameLabel  what the slider over frames counts
 * @property {Record<string, string>} labels  "train/loss" -> "training loss"
 * @property {Record<string, string>} colormaps  base64 of 256 RGB bytes
 * @property {Partial<State>} start
 * @property {PaneRecord[]} panes
 * @property {PackedArray[]} arrays
 *
 * @typedef {object} Path
 * @property {string} name
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {Float64Array} residual
 * @property {Float64Array} loss
 * @property {number[]} step
 * @property {string} unit
 * @property {Record<string, Float64Array>} own
 * @property {Record<string, Float64Array>} below
 * @property {number[]} drops
 * @property {string} note
 *
 * @typedef {object} Surface
 * @property {SurfaceRecord} record
 * @property {string} title
 * @property {number} nx
 * @property {number} ny
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {Record<string, Float64Array>} values
 * @property {Record<string, Float32Array>} stderr
 * @property {Record<string, Float32Array>} paired
 * @property {Record<string, BigInt64Array>} counts
 * @property {Uint8Array} state
 * @property {Path[]} paths
 *
 * @typedef {object} Pane
 * @property {string} title
 * @property {Surface[]} frames
 *
 * @typedef {object} Eye
 * @property {number} azimuth  degrees from +x towards +y
 * @property {number} elevation  degrees above the floor
 * @property {number} zoom  1 shows everything
 * @property {number} panX  in widths of the picture
 * @property {number} panY  in heights of the picture, upwards
 *
 * @typedef {"auto" | "log" | "linear" | "asinh"} Kind
 *
 * @typedef {object} State
 * @property {string} height  name of the values drawn as height
 * @property {string} colour  name of the values drawn as colour; "" is those of the height
 * @property {Kind} kind
 * @property {number | null} eps
 * @property {number | "auto" | null} cap
 * @property {number} exaggeration
 * @property {string} colormap
 * @property {boolean} shared  one scale for all panes
 * @property {boolean} linked  one camera for all panes
 * @property {boolean} lines
 * @property {boolean} floor
 * @property {boolean} box
 * @property {boolean} smooth
 * @property {boolean} headlight  light fixed to the camera, not to the scene
 * @property {boolean} paths
 * @property {boolean} drops  drop lines from the true loss
 * @property {string} difference  "0-1" draws the first pane minus the second
 * @property {number} step  how much of the paths is drawn, 0 to 1
 * @property {number} frame
 * @property {Eye[]} eyes  one for all, or one a pane
 * @property {[number, number][]} pins
 * @property {[number, number, number, number] | null} section
 * @property {"auto" | "light" | "dark"} theme
 * @property {"" | "adjust" | "trust"} drawer
 */
export {};
