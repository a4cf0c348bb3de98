package server

import (
	"runtime"

	"freshet/internal/encoding"
)

// encoders bounds how many encoded forms are made at a time.
type encoders struct {
	*encoding.Encoder
	slots chan struct{}
}

func newEncoders() (*encoders, error) {
	n := 2 * runtime.GOMAXPROCS(0)
	x, err := encoding.New(n)
	if err != nil {
		return nil, err
	}
	return &encoders{Encoder: x, slots: make(chan struct{}, n)}, nil
}

// tryStart takes a slot if one is free.
func (x *encoders) tryStart() bool {
	select {
	case x.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// start waits for a slot.
func (x *encoders) start() { x.slots <- struct{}{} }

func (x *encoders) done() { <-x.slots }
