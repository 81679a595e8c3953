package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/image"
)

// written writes the estate's images and returns the files of the archive.
func written(t *testing.T) map[string][]byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "shodo")
	require.NoError(t, os.WriteFile(program, []byte("the program"), 0o755))
	images, err := image.Estate(program)
	require.NoError(t, err)
	var first, second bytes.Buffer
	require.NoError(t, image.Write(&first, images))
	require.NoError(t, image.Write(&second, images))
	require.Equal(t, first.Bytes(), second.Bytes(), "the same images give the same bytes")
	return files(t, &first)
}

func files(t *testing.T, archive io.Reader) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		data, err := io.ReadAll(reader)
		require.NoError(t, err)
		name := header.Name
		if header.Linkname != "" {
			data = []byte("-> " + header.Linkname)
		}
		found[name] = data
	}
}

func TestWrite_EveryBlobHasTheNameOfItsChecksumAndEveryReferenceABlob(t *testing.T) {
	archive := written(t)
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	require.NoError(t, json.Unmarshal(archive["index.json"], &index))
	var names []string
	for _, entry := range index.Manifests {
		names = append(names, entry.Annotations["io.containerd.image.name"])
		var manifest struct {
			Config struct{ Digest string }
			Layers []struct{ Digest string }
		}
		require.NoError(t, json.Unmarshal(blob(t, archive, entry.Digest), &manifest))
		blob(t, archive, manifest.Config.Digest)
		require.Len(t, manifest.Layers, 1)
		blob(t, archive, manifest.Layers[0].Digest)
	}
	require.Equal(t, []string{image.Pause, image.Host, image.Shodo}, names)
}

func blob(t *testing.T, archive map[string][]byte, digest string) []byte {
	t.Helper()
	hexadecimal := strings.TrimPrefix(digest, "sha256:")
	data, found := archive["blobs/sha256/"+hexadecimal]
	require.True(t, found, digest)
	sum := sha256.Sum256(data)
	require.Equal(t, hexadecimal, hex.EncodeToString(sum[:]))
	return data
}

func TestEstate_TheHostImageKnowsItsUsersAndHasTheProgram(t *testing.T) {
	for name, data := range written(t) {
		if !strings.HasPrefix(name, "blobs/") || !bytes.Contains(data, []byte("etc/passwd")) {
			continue
		}
		layer := files(t, bytes.NewReader(data))
		require.Contains(t, string(layer["etc/passwd"]), "postgres:x:26:26:")
		require.Equal(t, "-> usr/lib64", string(layer["lib64"]))
		require.Equal(t, "the program", string(layer["shodo"]))
		return
	}
	t.Fatal("no layer has /etc/passwd")
}

func TestEstate_SaysHowToNameAProgramThatIsMissing(t *testing.T) {
	_, err := image.Estate("/nowhere/shodo")
	require.ErrorContains(t, err, "LAB_SHODO")
}
