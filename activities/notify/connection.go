package notify

import (
	"context"
	"errors"
	"net"
	"time"
)

// heardLimit bounds, in bytes, what a mail server may say in one attempt.
const heardLimit = 64 << 10

// connection ends with the context that it was opened in, however slowly the other side speaks, and hears a bounded number of
// bytes. Whoever holds it cannot give it more time.
type connection struct {
	net.Conn
	heard int
	stop  func() bool // forget the context
}

// dial connects to an address. ctx must have a deadline.
func dial(ctx context.Context, address string) (*connection, error) {
	opened, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if deadline, bounded := ctx.Deadline(); bounded {
		if err := opened.SetDeadline(deadline); err != nil {
			opened.Close()
			return nil, err
		}
	}
	return &connection{Conn: opened, stop: context.AfterFunc(ctx, func() { opened.Close() })}, nil
}

func (c *connection) Read(into []byte) (int, error) {
	if c.heard >= heardLimit {
		return 0, errors.New("it says too much")
	}
	count, err := c.Conn.Read(into)
	c.heard += count
	return count, err
}

// Close ends the connection, if its context has not done so.
func (c *connection) Close() error {
	c.stop()
	if err := c.Conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// SetDeadline does nothing: the deadline of the context counts.
func (c *connection) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, as SetDeadline.
func (c *connection) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as SetDeadline.
func (c *connection) SetWriteDeadline(time.Time) error { return nil }
