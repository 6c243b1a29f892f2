package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// TestByteOrderMark checks that a mark at the beginning of a file is not part of its first line. On any other
// line it is.
func TestByteOrderMark(t *testing.T) {
	lines := requests(2)
	st := newSite(t, generous, byteOrderMark+lines[0], lines[1], byteOrderMark+`{"plain":"body"}`)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 2, failed: 1}, sum.counts)

	st.input(lines[0], lines[1], byteOrderMark+`{"plain":"body"}`)
	_, err = st.process()
	require.NoError(t, err, "it is the same line without the mark")
	require.Len(t, st.entries(), 2)
}

// TestUTF16 checks that a file in UTF-16 is refused, with an error that says so.
func TestUTF16(t *testing.T) {
	st := newSite(t, generous)
	for _, text := range []string{"\xff\xfe{\x00}\x00", "\xfe\xff\x00{\x00}", "{\x00}\x00", "\x00{\x00}"} {
		require.NoError(t, os.WriteFile(st.in, []byte(text), 0o600))
		_, err := st.process()
		require.EqualError(t, err, "-in "+st.in+": it is in UTF-16, and has to be in UTF-8: convert it, as in iconv -f UTF-16 -t UTF-8")
		require.ErrorAs(t, err, new(*fileError), "exit code 2")
	}
	for _, text := range []string{"", "\n", "{", "{}"} {
		require.NoError(t, os.WriteFile(st.in, []byte(text), 0o600))
		in, err := openInput(st.in)
		require.NoError(t, err)
		require.NoError(t, in.load(t.Context(), io.Discard), "%q", text)
		in.close()
	}
	require.Empty(t, st.entries())
}

// TestLongLine checks that a line that is too long becomes an error, and that the others run.
func TestLongLine(t *testing.T) {
	lines := requests(2)
	st := newSite(t, generous, lines[0], `{"x":"`+string(bytes.Repeat([]byte("x"), maxLine))+`"}`, lines[1])
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 2, failed: 1}, sum.counts)
	for _, r := range st.results() {
		if r.Error != nil {
			require.Equal(t, fmt.Sprintf("%s:2: it has %d bytes, and a line may have %d at most", st.in, maxLine+9, maxLine), r.Error.Message)
		}
	}
	require.Len(t, st.entries(), 2)
}

// FuzzLines compares lines with those of bytes.Lines, read in parts of any size. A line that is too long has
// only a hash, which differs from that of any other line.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nbc\n\nd"), uint8(2), false)
	f.Add([]byte("123456\r\n12345678\n1234567"), uint8(7), false)
	f.Add([]byte("xyz\nx"), uint8(200), true)
	f.Add([]byte("what makes it too long comes after what the buffer holds\nx"), uint8(9), true)
	f.Fuzz(func(t *testing.T, text []byte, more uint8, beyondBuffer bool) {
		most := int64(more)
		if beyondBuffer {
			text = append(bytes.Repeat([]byte("x"), 1<<16), text...)
			most += 1 << 16
		}
		lines, byByte := newLineReader(bytes.NewReader(text), most), newLineReader(iotest.OneByteReader(bytes.NewReader(text)), most)
		for want := range bytes.Lines(text) {
			err, sameErr := lines.next(), byByte.next()
			require.Equal(t, !bytes.HasSuffix(want, []byte("\n")), errors.Is(err, io.EOF))
			require.Equal(t, err, sameErr)
			require.Equal(t, int64(len(want)), lines.size)
			if int64(len(want)) <= most {
				require.Equal(t, string(want), string(lines.text))
				require.Nil(t, lines.longHash)
				continue
			}
			require.Empty(t, lines.text)
			whole := newLine(1, bytes.TrimSuffix(want, []byte("\n")))
			require.Equal(t, whole.hash, lines.line(1).hash)
			require.Equal(t, whole.hash, byByte.line(1).hash)
		}
		if len(text) == 0 || text[len(text)-1] == '\n' {
			require.ErrorIs(t, lines.next(), io.EOF)
			require.Empty(t, lines.text)
		}
	})
}
