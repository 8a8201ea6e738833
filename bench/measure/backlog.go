package measure

// Backlog is what was acknowledged and did not show yet at one moment.
type Backlog struct {
	AtMS     float64 `json:"at_ms"` // run time
	Waiting  int     `json:"waiting"`
	OldestMS float64 `json:"oldest_ms"` // how long ago the oldest of them was acknowledged; 0 if none waits
}
