import { useApp } from "../controls/useApp";
import { showCount } from "../store/number";
import { setSpeed } from "../verbs/run";

/** Steps per second along the slider; its right end has no limit. */
const STOPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, null];

const nearest = (speed: number | null) => {
  if (speed === null) return STOPS.length - 1;
  const at = STOPS.findIndex((stop) => stop === null || stop >= speed);
  return at < 0 ? STOPS.length - 1 : at;
};

export function SpeedField() {
  const speed = useApp((state) => state.speed);
  const words = speed === null ? "unlimited" : `${showCount(speed)} steps/s`;
  return (
    <div className="inline-field speed">
      <label htmlFor="speed">speed</label>
      <div className="speed-slider">
        <input
          id="speed"
          type="range"
          min={0}
          max={STOPS.length - 1}
          step={1}
          value={nearest(speed)}
          aria-valuetext={words}
          data-testid="speed"
          onChange={(event) => void setSpeed(STOPS[Number(event.target.value)] ?? null)}
        />
        <span className="mono faint" data-testid="speed-text">
          {words}
        </span>
      </div>
    </div>
  );
}
