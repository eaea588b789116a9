% SPDX-License-Identifier: GPL-3.0-or-later
% Reads a run from Octave or MATLAB: what every user got, and the channel estimates.
%
%   octave-cli --path examples --eval "read_run('OUT')"      (the folder that `tutti run --out` made)
%   MATLAB: addpath examples; read_run('OUT')
%
% HDF5 arrays come with their dimensions in reverse order; they are turned round here, so that indices are those of
% docs/files.md, counted from 1: H(block, subband, ap, antenna, user).
function read_run(folder)
  file = fullfile(folder, 'run.h5');
  H = read_complex(file, 'H_hat');
  sinr = read_real(file, 'user/sinr_measured');
  served = read_real(file, 'block/user_used');
  errors = sum(read_real(file, 'user/code_block_errors'), 1);
  blocks = sum(read_real(file, 'user/code_blocks'), 1);
  for user = 1:size(sinr, 2)
    of_user = sinr(served(:, user) ~= 0 & isfinite(sinr(:, user)), user);
    fprintf('user %d: %d blocks, median SINR %.2f dB, %d of %d code blocks wrong\n', user - 1, numel(of_user), ...
           10 * log10(median(of_user)), errors(user), blocks(user));
  end
  last = H(max(1, end - 19):end, :, :, :, :);
  fprintf('estimates: %s, mean power %.2f dB over the last blocks\n', mat2str(size(H)), 10 * log10(mean(abs(last(:)) .^ 2)));
  fprintf('H(10, 2, 1, 1, 1) = %.6f %+.6fi\n', real(H(10, 2, 1, 1, 1)), imag(H(10, 2, 1, 1, 1)));
end

% Octave's own load makes zeros of complex numbers that are not called real and imag, without a word: there h5dump
% (Debian: hdf5-tools) hands out the bytes. MATLAB's h5read gives a structure with r and i.
function x = read_complex(file, name)
  if exist('OCTAVE_VERSION', 'builtin')
    shape = size(load('-hdf5', file, name).(name));
    bytes = tempname();
    [status, text] = system(sprintf('h5dump -d "/%s" -b FILE -o "%s" "%s"', name, bytes, file));
    if status ~= 0
      error('h5dump of /%s failed (apt install hdf5-tools): %s', name, text);
    end
    handle = fopen(bytes, 'r', 'ieee-le');
    parts = fread(handle, [2 Inf], 'single');
    fclose(handle);
    delete(bytes);
    x = reshape(complex(parts(1, :), parts(2, :)), shape);
  else
    parts = h5read(file, ['/' name]);
    x = complex(parts.r, parts.i);
  end
  x = permute(x, ndims(x):-1:1);
end

function x = read_real(file, name)
  if exist('OCTAVE_VERSION', 'builtin')
    parts = strsplit(name, '/');
    x = load('-hdf5', file, parts{1}).(parts{1}).(parts{2});
  else
    x = h5read(file, ['/' name]);
  end
  x = double(permute(x, ndims(x):-1:1));
end
